"""The five-class table that FA's code trains on: OpenML 159, RandomRBF_50_1E-3."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from trainables.data.base import About, DataError, Dataset, Images, about, registry
from trainables.data.prepare import originals
from trainables.data.prepare.labels import checked_labels
from trainables.errors import reason

about["random_rbf"] = About(
    "RandomRBF_50_1E-3 (OpenML 159): 1,000,000 rows, about 10 features, 5 classes (FA's code)",
    "download data set 159 from openml.org and save it as openml_159/dataset.arff or "
    "openml_159/dataset.parquet, the class in the last column",
    ("openml_159/dataset.parquet", "openml_159/dataset.arff"),
)


@registry.register("random_rbf", added={"test_set": "split"})
def random_rbf(*, directory: Path, test_set: Literal["split", "uniform"] = "split") -> Dataset:
    """OpenML 159, which FA's code loads where its text says CIFAR-100 (fa.yaml, ambiguity 1).

    Float features, standardized with the training part's mean and std (FA's code divides
    by 255 first, which standardizing undoes). The code takes 3,000 rows, 2,400 to train on
    and 600 to test on: ``data.subset = 3000``, ``data.validation = 0``.

    Args:
        directory: The data directory.
        test_set: See `options.variant`.

    Raises:
        DataError: the file is missing, cannot be parsed, or has an empty class.
    """
    file = originals.checked_file(originals.locate("random_rbf", directory))
    originals.inside(file, file.parent)
    table = _read_parquet(file) if file.suffix == ".parquet" else _read_arff(file)
    if table.num_rows == 0 or table.num_columns < 2:
        raise DataError(f"{file} has no rows, or no column beside the class: fetch it again")
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise DataError(f"{file} has several columns called {twice[0]!r}: fetch it again")
    *features, target = table.column_names
    try:
        inputs = np.stack([table[name].to_numpy().astype(np.float32) for name in features], 1)
    except (ValueError, TypeError):
        raise DataError(f"{file}: every column but the last must hold numbers") from None
    bad = np.argwhere(~np.isfinite(inputs))
    if bad.size:
        row, column = bad[0]
        raise DataError(
            f"row {row} of {file} has no finite number in column {features[column]!r}: "
            "correct that row, or fetch the file again"
        )
    codes = _classes(table[target], target, file)
    names = sorted(codes.dictionary.to_pylist())
    order = np.array([names.index(value) for value in codes.dictionary.to_pylist()])
    labels = order[codes.indices.to_numpy(zero_copy_only=False)]
    checked_labels(labels, len(names), str(file))
    return Dataset(
        name="random_rbf",
        train=Images(torch.from_numpy(inputs), torch.from_numpy(labels).long()),
        test=None,
        num_classes=len(names),
        mean=(0.0,) * len(features),
        std=(1.0,) * len(features),
        class_names=tuple(names),
        source="RandomRBF_50_1E-3 (OpenML 159)",
        stratified=test_set == "split",
        standardize=True,
    )


def _classes(column: Any, name: str, file: Path) -> Any:
    """The class of each row, as texts in Arrow's dictionary form. Raises DataError naming a row
    without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pc.cast(column.combine_chunks(), pa.string())
    except pa.ArrowException:
        raise DataError(f"{file}: column {name!r} holds {column.type}, not classes") from None
    row = pc.index(pc.fill_null(pc.equal(texts, ""), True), True).as_py()
    if row >= 0:
        raise DataError(f"row {row} of {file} has no class in column {name!r}: correct that row")
    return texts.dictionary_encode()


def _read_parquet(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(file)
    except (pa.ArrowException, OSError):
        raise DataError(f"{file} is no readable Parquet file: fetch it again") from None


def _read_arff(file: Path) -> Any:
    """Dense ARFF: ``@attribute name type`` lines, ``@data``, then comma-separated rows."""
    import pyarrow as pa
    import pyarrow.csv

    names = []
    with io.StringIO(originals.read_text(file)) as handle:
        for line in handle:
            words = line.split(None, 2)
            if words and words[0].lower() == "@attribute" and len(words) == 3:
                names.append(words[1].strip("'\""))
            if words and words[0].lower() == "@data":
                break
        else:
            raise DataError(f"{file} has no @data line: it is no ARFF file, or only half of one")
        try:
            return pyarrow.csv.read_csv(
                io.BytesIO(handle.read().encode()),
                read_options=pyarrow.csv.ReadOptions(column_names=names),
            )
        except pa.ArrowException as error:
            raise DataError(f"{file} cannot be parsed ({reason(error)}): fetch it again") from None
