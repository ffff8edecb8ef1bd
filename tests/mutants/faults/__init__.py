"""The faults, as lists: one subject a file."""
