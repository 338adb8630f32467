"""`assay` and `python -m assay`: the command line program of this package. Its sandbox has this environment's Python and packages, as in
Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ._engine import own_python, python_library


def main() -> None:
    program = Path(__file__).parent / "bin" / "assay"
    if not program.exists():
        sys.exit(f"assay: {program} is missing: this package was built without its command line")
    for variable, value in (
        ("ASSAY_PYTHON_LIBRARY", python_library()),
        ("ASSAY_PYTHON", own_python()),
        ("ASSAY_PYARROW", sys.executable),
    ):
        if value:
            os.environ.setdefault(variable, value)
    os.execv(program, ["assay", *sys.argv[1:]])


if __name__ == "__main__":
    main()
