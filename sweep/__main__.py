"""``python -m sweep``: the command ``sweep`` without an installed script."""

from sweep.cli.commands import main

main()
