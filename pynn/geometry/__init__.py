"""Where things are: windows that move over samples, and maps of elements. Shared by layers and ops."""
