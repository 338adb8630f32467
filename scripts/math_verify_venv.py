"""The virtual environment in which Math-Verify is compared with us; used by math_differential.py and bench/math_beside_peer.py."""

import pathlib
import shutil
import subprocess
import sys

PACKAGES = ["math-verify[antlr4_13_2]==0.9.0", "mpmath"]


def python_of(folder: pathlib.Path):
    """The interpreter of the environment in `folder`, which is made where it is missing; None if PyPI is out of reach."""
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, check=False).returncode == 0
        install = [python, "-m", "pip", "install", "--quiet", "--retries", "1", *PACKAGES]
        if not made or subprocess.run(install, check=False).returncode != 0:
            return None
        done.touch()
    return python
