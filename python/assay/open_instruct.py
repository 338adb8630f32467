"""A verifier for open-instruct's RLVR: call `assay.open_instruct.register()` before it builds its reward functions, and put "assay" into
the rows' `dataset` field."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ._adapting import without_end
from ._rubric import Rubric, RubricLike, as_rubric
from ._score import score


def _row(prediction: str, label: Any, query: Any) -> dict[str, Any]:
    tests: Any = label
    if isinstance(label, str) and label.lstrip()[:1] in ("[", "{"):
        try:
            tests = json.loads(label)
        except ValueError:
            tests = label
    row: dict[str, Any] = {"completion": without_end(prediction), "prompt": query or ""}
    asserts = isinstance(tests, list) and tests and all(isinstance(test, str) and test.lstrip().startswith("assert") for test in tests)
    cases = isinstance(tests, list) and tests and all(isinstance(test, dict) and "input" in test for test in tests)
    if asserts:
        row.update(task="code", verification_info={"asserts": tests})
    elif cases:
        row.update(task="code", verification_info={"test_cases": [{"type": "stdin_stdout", **test} for test in tests]})
    elif isinstance(tests, dict):
        row.update(task="code", verification_info=tests)
    else:
        row.update(task="math", answer=label)
    return row


def score_one(prediction: str, label: Any, query: Any = None, rubric: RubricLike = None) -> float | None:
    """The reward of one prediction; None if it was not scored."""
    value: float | None = score([_row(prediction, label, query)], as_rubric(rubric), jobs=1).rewards[0]
    return value


def register(rubric: RubricLike = None, *, name: str = "assay", unscored: float = 0.0) -> type[Any]:
    """Makes the verifier class that open-instruct finds among the subclasses of its own. What is not scored gets `unscored`."""
    from open_instruct.ground_truth_utils import VerificationResult, VerifierFunction

    judge: Rubric = as_rubric(rubric)

    class AssayVerifier(VerifierFunction):  # type: ignore[misc, unused-ignore]
        def __init__(self, verifier_config: Any = None) -> None:
            super().__init__(name, verifier_config=verifier_config, weight=1.0)

        def __call__(self, tokenized_prediction: Any, prediction: str, label: Any, query: Any = None, rollout_state: Any = None) -> Any:
            value = score_one(prediction, label, query, judge)
            return VerificationResult(score=unscored if value is None else value)

        async def async_call(self, tokenized_prediction: Any, prediction: str, label: Any, query: Any = None, rollout_state: Any = None) -> Any:
            return await asyncio.to_thread(self.__call__, tokenized_prediction, prediction, label, query, rollout_state)

    return AssayVerifier
