"""`python -m assay`."""

from ._cli import main

main()
