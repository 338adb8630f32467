#!/usr/bin/env python3
"""ruff from PyPI in an environment of its own, for tests of the verifier `lint`: `ruff_env.py FOLDER` leaves FOLDER/bin/ruff. Where PyPI is
out of reach it says so and ends well: the tests that need ruff are then skipped by name."""

import sys

import virtual_env

if __name__ == "__main__":
    if virtual_env.python_of(sys.argv[1], ["ruff==0.17.6"]) is None:
        print("ruff cannot be installed from PyPI")
