"""What users hand in as data, checked and made ready for the engine."""
