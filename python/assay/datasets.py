"""Hugging Face datasets and Parquet, to and from rows that `assay.score` and `assay score` read. Needs pyarrow for Parquet, `datasets` for
Hugging Face's."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ._errors import AssayError
from ._rubric import RubricLike
from ._score import Result, score

if TYPE_CHECKING:
    from datasets import Dataset


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """All rows of a .parquet, .jsonl or .json (a list) file, plain or .gz."""
    return list(iter_rows(path))


def iter_rows(path: str | os.PathLike[str], *, batch_rows: int = 1024) -> Iterator[dict[str, Any]]:
    """The rows of a file one after another; of Parquet only a batch is in memory."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise AssayError(f"cannot read '{name}': {error.strerror}", "check the path", "io") from None
    if magic == b"PAR1":
        yield from _parquet_rows(name, batch_rows)
        return
    opened = gzip.open(name, "rt", encoding="utf-8") if magic[:2] == b"\x1f\x8b" else open(name, encoding="utf-8")
    with opened as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise AssayError(f"{name}:{number}: {error}", "one JSON object a line", "input") from None
            yield from row if isinstance(row, list) else [row]


def _parquet_rows(name: str, batch_rows: int) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise AssayError("reading Parquet needs pyarrow", "pip install pyarrow", "unavailable") from None
    try:
        file = parquet.ParquetFile(name)
    except Exception as error:
        raise AssayError(f"{name}: {error}", "is it a whole Parquet file?", "input") from None
    with file:
        for batch in file.iter_batches(batch_size=batch_rows):
            yield from batch.to_pylist()


def write_parquet(rows: Iterable[dict[str, Any]] | Result, path: str | os.PathLike[str]) -> None:
    """Rows, or a result (its samples as columns), as one Parquet file. What has no one type over all rows becomes JSON text."""
    import pyarrow
    import pyarrow.parquet as parquet

    table = rows.to_arrow() if isinstance(rows, Result) else _table(list(rows), pyarrow)
    parquet.write_table(table, os.fspath(path), compression="zstd")


def _table(rows: list[dict[str, Any]], pyarrow: Any) -> Any:
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
            columns[name] = pyarrow.array([None if value is None else _text(value) for value in values])
    return pyarrow.table(columns)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def to_dataset(rows: Iterable[dict[str, Any]] | Result) -> Dataset:
    """A datasets.Dataset of rows, or of a result's samples."""
    import datasets
    import pyarrow

    return datasets.Dataset(rows.to_arrow() if isinstance(rows, Result) else _table(list(rows), pyarrow))


def add_rewards(dataset: Dataset, rubric: RubricLike = None, *, column: str = "reward", **options: Any) -> Dataset:
    """The dataset with its rows' rewards in a column more (lists for groups; null: not scored)."""
    result = score(dataset, rubric, **options)
    return dataset.add_column(column, result.rewards)
