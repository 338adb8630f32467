"""`python -m assay.parquet IN OUT`: Parquet to JSON Lines, or JSON Lines to Parquet, by the names. `-` is standard input or output.

`assay score` reads JSON Lines; this makes them, a batch of rows at a time, so that a file may be larger than memory:

    python -m assay.parquet data.parquet - | assay score -
"""

from __future__ import annotations

import json
import sys
from typing import TextIO

from ._errors import AssayError
from .datasets import iter_rows, write_parquet


def _write_lines(source: str, out: TextIO) -> None:
    for row in iter_rows(source):
        out.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    source, target = arguments
    try:
        if target.endswith(".parquet"):
            write_parquet(iter_rows("/dev/stdin" if source == "-" else source), target)
        elif target == "-":
            _write_lines(source, sys.stdout)
        else:
            with open(target, "w", encoding="utf-8") as out:
                _write_lines(source, out)
    except AssayError as error:
        print(f"error: {error.message}\n\nhint: {error.hint}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
