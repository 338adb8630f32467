"""Runs the tests of the Python package (package_test.py and the others beside it) in a virtual environment, made where it is missing.

    run.py --source ROOT --build build --interpreter PYTHON [--only PATTERN]

PYTHON is what the module was built for. Without PyPI the tests that need its packages are skipped, each by name, and the rest is run.
"""

import argparse
import os
import pathlib
import subprocess
import sys

PACKAGES = ["pandas", "pyarrow", "mypy", "pytest"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sys.path.insert(0, str(options.source / "scripts"))
    import virtual_env

    python = virtual_env.python_of(options.build / "python-venv", PACKAGES, options.interpreter)
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM the package's test environment cannot be made")
        sys.exit(77)
    environment = dict(os.environ, PYTHONPATH=str(options.build / "python"), ASSAY_SOURCE_DIR=str(options.source),
                       ASSAY_BUILD_DIR=str(options.build), PYTHONDONTWRITEBYTECODE="1")
    environment.pop("ASSAY_JAIL", None)
    tests = [python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", options.source / "tests" / "python"]
    if options.only:
        tests += ["-k", options.only]
    sys.exit(subprocess.run(tests, env=environment, check=False, cwd=options.build).returncode)


if __name__ == "__main__":
    main()
