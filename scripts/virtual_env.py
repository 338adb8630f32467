"""Virtual environments for tests that compare with a peer from PyPI."""

import pathlib
import shutil
import subprocess
import sys

# What the wheel of torch (installed without dependencies) imports.
TORCH_IMPORTS = ["numpy==2.4.6", "sympy==1.14.0", "networkx==3.6.1", "jinja2==3.1.6", "fsspec", "filelock", "typing_extensions"]


def beside_torch(folder: pathlib.Path, packages, torch: pathlib.Path):
    """The same with `packages` and LibTorch's wheel, as it lies in `torch` (.venv/lib/python3.x/site-packages); None also where none is there."""
    interpreter = torch.parent.parent.parent / "bin" / "python3"
    if not (torch / "torch" / "__init__.py").exists() or not interpreter.exists():
        return None
    return python_of(folder, [*packages, *TORCH_IMPORTS], interpreter, torch)


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
