"""Hugging Face datasets and Parquet, to and from rows that `assay.score` and `assay score` read. Needs pyarrow for Parquet, `datasets` for
Hugging Face's."""

from __future__ import annotations

import gzip
import io
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
    """The rows of a file one after another; of Parquet only a batch is in memory. AssayError for a line that is no JSON."""
    name = os.fspath(path)
    for number, item in enumerate(_rows_or_lines(name, batch_rows), 1):
        if not isinstance(item, str):
            yield item
        elif item.strip():
            try:
                row = json.loads(item)
            except ValueError as error:
                raise AssayError(f"{name}:{number}: {error}", "one JSON object a line", "input") from None
            yield from row if isinstance(row, list) else [row]


def rows_or_lines(path: str | os.PathLike[str]) -> list[Any]:
    """What `score` is given: rows of Parquet or of a JSON list; lines of JSON Lines as they are, so that one that is no JSON is a bad row."""
    return [item for item in _rows_or_lines(os.fspath(path), 1024) if not isinstance(item, str) or item.strip()]


def _rows_or_lines(name: str, batch_rows: int) -> Iterator[Any]:
    try:
        file = open(name, "rb")
    except OSError as error:
        raise AssayError(f"cannot read '{name}': {error.strerror}", "check the path", "io") from None
    with file:
        magic = file.peek(4)[:4]  # not read: it may be a pipe
        if magic == b"PAR1":
            yield from _parquet_rows(name, batch_rows)
            return
        plain = gzip.open(file) if magic[:2] == b"\x1f\x8b" else file
        lines = io.TextIOWrapper(plain, encoding="utf-8", errors="replace", newline="\n")
        begun: list[str] = []
        for line in lines:
            begun.append(line)
            if line.strip():
                break
        if begun and begun[-1].lstrip().startswith("["):
            begun.extend(lines)
            try:
                yield from _list_of(json.loads("".join(begun)))
                return
            except ValueError:
                pass  # lists in lines, or something broken, of which the lines will tell
        yield from begun
        yield from lines


def _list_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return value


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


def add_rewards(dataset: Dataset, rubric: RubricLike | Result = None, *, column: str = "reward", **options: Any) -> Dataset:
    """The dataset with its rows' rewards in a column more (lists for groups; null: not scored): by a rubric, or what it was scored with."""
    result = rubric if isinstance(rubric, Result) else score(dataset, rubric, **options)
    return dataset.add_column(column, result.rewards)
