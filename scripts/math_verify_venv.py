"""The virtual environment in which Math-Verify is compared with us; used by math_differential.py and bench/math_beside_peer.py."""

import pathlib

import virtual_env

PACKAGES = ["math-verify[antlr4_13_2]==0.9.0", "mpmath"]


def python_of(folder: pathlib.Path):
    """The interpreter of the environment in `folder`, which is made where it is missing; None if PyPI is out of reach."""
    return virtual_env.python_of(folder, PACKAGES)
