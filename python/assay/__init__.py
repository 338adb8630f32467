"""Assay: what a language model's answer is worth.

    import assay
    assay.check("1/2", "0.5")                                    # pass (ok)
    assay.score(rows, assay.math() + 0.2 * assay.format())       # .rewards, .advantages, .verdicts
    GRPOTrainer(..., reward_funcs=assay.trl.reward("math"))      # also verl, openrlhf, prime, open_instruct, nemo_gym, slime, ray

Nothing is started when this is imported; docs/python.md has the tour.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _core
from ._engine import configure
from ._errors import AssayError
from ._rubric import Rubric, term, verifier
from ._sandbox import RunResult, Sandbox
from ._score import Result, Verdict, VerifierInfo, check, check_async, doctor, score, score_async
from ._store import Store
from ._terms import code, countdown, exact, format, length, math, qa, regex, repetition

if TYPE_CHECKING:
    from . import datasets, nemo_gym, open_instruct, openrlhf, prime, ray, slime, trl, verl
    from ._score import verifiers
else:
    from . import verifiers

_core.set_error_class(AssayError)

__version__ = _core.version

__all__ = [
    "AssayError",
    "Result",
    "Rubric",
    "RunResult",
    "Sandbox",
    "Store",
    "Verdict",
    "VerifierInfo",
    "check",
    "check_async",
    "code",
    "configure",
    "countdown",
    "doctor",
    "exact",
    "format",
    "length",
    "math",
    "qa",
    "regex",
    "repetition",
    "score",
    "score_async",
    "term",
    "verifier",
    "verifiers",
]

_ADAPTERS = ("datasets", "nemo_gym", "open_instruct", "openrlhf", "prime", "ray", "slime", "trl", "verl")


def __getattr__(name: str) -> Any:
    # Adapters are imported when they are first used; verifiers that have no function here are terms by their names.
    if name in _ADAPTERS:
        return importlib.import_module(f"{__name__}.{name}")
    if not name.startswith("_") and any(row["name"] == name for row in _core.verifiers()):
        return lambda **options: verifier(name, **options)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ADAPTERS])
