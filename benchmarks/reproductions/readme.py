"""The table of README.md, made from that of item 1 once it is done."""

from __future__ import annotations

import re

BEGIN, END = "<!-- demo table -->\n", "<!-- /demo table -->"
LEAD = re.compile(r"^This is the table that [^:]*:$", re.M)


def with_table(readme: str, table: str, command: str, link: str) -> str:
    """``readme`` with the rows of ``table`` in the place of the table that it has.

    Args:
        readme, table: Markdown; what stands around the rows of ``table`` stays away.
        command: That prints it.
        link: To all that stands around it.

    Raises:
        ValueError: ``readme`` has no place for it, or ``table`` no rows.
    """
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    if BEGIN not in readme or END not in readme or len(LEAD.findall(readme)) != 1:
        raise ValueError("README.md has no sentence that leads to a table between its two marks")
    if len(rows) < 3:
        raise ValueError("there is no table to show")
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    lead = f"This is the table that `{command}` prints ([all that is said of it]({link})):"
    return f"{LEAD.sub(lambda _: lead, before)}{BEGIN}" + "\n".join(rows) + f"\n{END}{after}"
