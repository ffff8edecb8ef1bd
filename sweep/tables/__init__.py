"""Tables: cells laid out in rows and columns, and written in a format."""

from sweep.tables.layout import (
    FORMATS,
    Table,
    TableCell,
    attachments,
    build,
    render,
    require_format,
    table_of,
)

__all__ = [
    "FORMATS",
    "Table",
    "TableCell",
    "attachments",
    "build",
    "render",
    "require_format",
    "table_of",
]
