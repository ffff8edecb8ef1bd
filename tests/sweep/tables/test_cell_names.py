"""A cell is called by what tells it from the others that are shown."""

from __future__ import annotations

from search_spaces.spec import Cell
from sweep.tables.cell_names import cell_names


def test_what_all_have_in_common_is_left_out() -> None:
    cells = [
        Cell({"model": "WRN", "method": method, "data": data}, ran={"data": "digits"})
        for method in ("ERM", "SAM")
        for data in ("Cifar10", "Cifar100")
    ]
    other = Cell({"model": "VGG", "method": "common"}, hidden=True)
    names = cell_names([*cells, other])
    assert [names(cell) for cell in cells[:2]] == [
        "ERM / digits, for Cifar10",
        "ERM / digits, for Cifar100",
    ]
    assert cell_names(cells[::2])(cells[2]) == "SAM"


def test_a_label_that_some_lack_tells_them_apart() -> None:
    cells = [Cell({"method": "ERM"}), Cell({"method": "ERM", "k": "2"})]
    assert [cell_names(cells)(cell) for cell in cells] == ["ERM", "2"]


def test_of_one_cell_all_is_said() -> None:
    cell = Cell({"model": "WRN", "method": "ERM"})
    assert cell_names([cell])(cell) == "WRN / ERM"
