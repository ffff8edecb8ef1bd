"""Every printed number of every artifact stands in its paper's own text.

    python -m tests.facts.check_texts FOLDER

``FOLDER`` holds the papers' texts, one ``.txt`` file each, named as you like: a paper's text is the
file that has its title near its beginning. The texts are their authors' and no part of this
project. Prints what is not found and exits 1; without such a folder or text, 2.
"""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path

import search_spaces
from search_spaces.spec import Artifact
from tests.facts import PAPERS, facts

BEGINNING = 1000
"""Characters: where a title is looked for, so that a reference to a paper is not taken for it."""

QUOTED = {
    "nso": (  # grids that the facts, which have those of the authors' scripts, lack
        "between 0.1, 0.2, and 0.3",
        "ASAM, we choose the norm of the perturbation for the weights between 0.5, 1.0",
        "sampling perturbation between 0.008, 0.01, and 0.012",
    ),
}
"""Words of a paper that a test's docstring relies on."""


def texts(folder: Path) -> dict[str, str]:
    """The text of each paper."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    read = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    found = {}
    for paper in PAPERS:
        title = _words(facts(paper)["paper"]["title"])
        fitting = [text for text in read if title in _words(text[:BEGINNING])]
        if len(fitting) != 1:
            raise FileNotFoundError(
                f"{len(fitting)} files in {folder} begin with the title of {paper}, not one: "
                f"{facts(paper)['paper']['title']}"
            )
        found[paper] = fitting[0]
    return found


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z]+", text.lower()))


def missing(artifact: Artifact, text: str) -> list[str]:
    """Numbers of ``artifact`` that are not in ``text``: ``mean ± std`` must stand side by side.

    Numbers that the paper does not print say so in their note.
    """
    plain = re.sub(r"\\(textbf|mathbf|pm)|[${}\\%±|]", " ", text)
    tokens = [float(token) for token in re.findall(r"-?\d+\.?\d*", plain)]
    single, pairs = set(tokens), set(itertools.pairwise(tokens))
    return [
        f"{artifact.id} {' '.join(cell.key.values())} {metric}: {number.mean} ± {number.std}"
        for cell in artifact.experiment.cells
        for metric, number in cell.reported.items()
        if number.mean is not None and not number.note.startswith("not printed")
        if (number.mean not in single)
        or (number.std is not None and (number.mean, number.std) not in pairs)
    ]


def main(folder: Path) -> int:
    """Exit status."""
    try:
        found = texts(folder)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    absent = [
        entry
        for artifact in search_spaces.artifacts()
        if artifact.paper in found
        for entry in missing(artifact, found[artifact.paper])
    ]
    absent += [
        f"{paper}: {words!r}"
        for paper, quotes in QUOTED.items()
        for words in quotes
        if words not in found[paper]
    ]
    print("\n".join(absent) if absent else f"every printed number of {len(found)} papers is there")
    return 1 if absent else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1])))
