"""Virtual environments for tests that compare with a peer from PyPI."""

import pathlib
import shutil
import subprocess
import sys


def python_of(folder: pathlib.Path, packages, interpreter=sys.executable, site=None):
    """The interpreter of the environment in `folder`, which is made where it is missing; None if PyPI is out of reach.

    `site`: a folder of modules (LibTorch's wheel, already there) that the environment sees as well."""
    folder = pathlib.Path(folder)
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    if subprocess.run([interpreter, "-m", "venv", folder], capture_output=True, check=False).returncode != 0:
        return None
    if site is not None:
        for modules in folder.glob("lib/python3*/site-packages"):
            (modules / "shared.pth").write_text(f"{site}\n")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", *packages]
    if subprocess.run(install, check=False).returncode != 0:
        return None
    done.touch()
    return python
