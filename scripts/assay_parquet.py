#!/usr/bin/env python3
"""Parquet in and out for `assay`, which runs it as a sibling program (build/assay-parquet); pyarrow does the work.

    assay-parquet read FILE.parquet                         JSON lines on standard output
    assay-parquet write IN.jsonl OUT.parquet SCHEMA.json    SCHEMA: {"column": type}; {} lets pyarrow guess

A type is "string", "int64", "double", "bool", ["list", TYPE] or {"field": TYPE, ..}. The interpreter is `python3`, or what ASSAY_PYARROW
names; it needs `pip install pyarrow`. Exit 3: pyarrow is missing.
"""

import base64
import datetime
import json
import math
import sys

try:
    import pyarrow
    import pyarrow.parquet
except ImportError as error:
    print(f"pyarrow is missing: {error}", file=sys.stderr)
    sys.exit(3)

ROWS = 4096
SCALARS = {"string": pyarrow.string(), "int64": pyarrow.int64(), "double": pyarrow.float64(), "bool": pyarrow.bool_()}


def arrow_type(kind):
    if isinstance(kind, str):
        return SCALARS[kind]
    if isinstance(kind, list):
        return pyarrow.list_(arrow_type(kind[1]))
    return pyarrow.struct([(name, arrow_type(inner)) for name, inner in kind.items()])


def plain(value):
    """What JSON has no word for, said as a row would: times in ISO form, bytes as text or base64, NaN as null."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def read(path):
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            for row in batch.to_pylist():
                sys.stdout.write(json.dumps(plain(row), ensure_ascii=False) + "\n")


def batches(path):
    rows = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            rows.append(json.loads(line))
            if len(rows) == ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def write(source, target, schema_path):
    with open(schema_path, encoding="utf-8") as text:
        kinds = json.load(text)
    schema = pyarrow.schema([(name, arrow_type(kind)) for name, kind in kinds.items()]) if kinds else None
    if schema is None:
        everything = [row for rows in batches(source) for row in rows]
        table = pyarrow.Table.from_pylist(everything)
        pyarrow.parquet.write_table(table, target, compression="zstd")
        return
    with pyarrow.parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for rows in batches(source):
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))


def main():
    try:
        if sys.argv[1:2] == ["read"] and len(sys.argv) == 3:
            read(sys.argv[2])
        elif sys.argv[1:2] == ["write"] and len(sys.argv) == 5:
            write(*sys.argv[2:])
        else:
            sys.exit(__doc__)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        print(f"assay-parquet: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
