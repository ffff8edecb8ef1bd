"""A sweep's file as YAML: plain values, and the line of each (`trainables.settings_file`)."""

from trainables.settings_file import Dumper, Path_, Source, parse, read

__all__ = ["Dumper", "Path_", "Source", "parse", "read"]
