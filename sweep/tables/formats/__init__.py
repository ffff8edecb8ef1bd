"""One file per format, named as it is on the command line: its ``render(table) -> str``."""
