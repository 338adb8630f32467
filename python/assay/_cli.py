"""`assay` and `python -m assay`: the command line program of this package."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    program = Path(__file__).parent / "bin" / "assay"
    if not program.exists():
        sys.exit(f"assay: {program} is missing: this package was built without its command line")
    os.execv(program, ["assay", *sys.argv[1:]])


if __name__ == "__main__":
    main()
