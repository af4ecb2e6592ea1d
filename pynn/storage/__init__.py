"""Named arrays in files: the format, and how a file is written so that no fault leaves half of one."""
