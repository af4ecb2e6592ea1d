"""What everything stands on: the compiled core, checks of arguments, names, threads, random numbers."""
