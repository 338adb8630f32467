"""`assay.verifiers()` lists the verifiers; `assay.verifiers.rubric(..)` is `assay.prime.rubric`, by the name of the package that it is for.

The module can be called, so that the list is there before and after `import assay.verifiers`.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from assay._rubric import RubricLike
from assay._score import VerifierInfo
from assay._score import verifiers as _listed

__all__ = ["rubric"]


def rubric(source: RubricLike = None, *, parser: Any = None) -> Any:
    """A `verifiers.Rubric`: see `assay.prime.rubric`."""
    from assay import prime  # not with the package: it brings asyncio

    return prime.rubric(source, parser=parser)


class _Listing(types.ModuleType):
    def __call__(self) -> list[VerifierInfo]:
        return _listed()


_Listing.__call__.__doc__ = _listed.__doc__
sys.modules[__name__].__class__ = _Listing
