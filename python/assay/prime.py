"""Rewards for Prime Intellect's `verifiers`.

    rubric = assay.prime.rubric("math")                    # a vf.Rubric, for environments of the legacy API
    score = await assay.prime.score_trace(trace, row)      # inside a @vf.reward of the API v1
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from ._errors import AssayError
from ._rubric import Rubric, RubricLike, as_rubric
from ._score import score


def _plain(message: Any) -> Any:
    dump = getattr(message, "model_dump", None)
    return dump() if dump is not None else message


def _row(prompt: Any, completion: Any, answer: Any, info: Any) -> dict[str, Any]:
    """A rollout as a row. `info`: a dict or JSON text; its `verification_info` counts, or itself where it holds tests."""
    if isinstance(info, str):
        try:
            info = json.loads(info) if info.strip() else None
        except ValueError:
            info = None
    row: dict[str, Any] = {"completion": completion if isinstance(completion, str) else [_plain(one) for one in completion or ()]}
    if prompt is not None:
        row["prompt"] = prompt if isinstance(prompt, str) else [_plain(one) for one in prompt]
    if answer not in (None, ""):
        row["answer"] = answer
    if isinstance(info, Mapping):
        row.update({key: value for key, value in info.items() if key not in row})
        if "verification_info" not in row and any(key in info for key in ("test_cases", "asserts", "test")):
            row["verification_info"] = dict(info)
    row.setdefault("task", "code" if "verification_info" in row else "math")
    return row


def _reward(row: dict[str, Any], rubric: Rubric) -> float:
    """`verifiers` has no word for "not scored" and takes an exception as 0.0: so is this, by name."""
    value = score([row], rubric, jobs=1).rewards[0]
    return 0.0 if value is None else float(value)


def _function(rubric: Rubric, name: str) -> Callable[..., Any]:
    async def reward(completion: Any, prompt: Any = None, answer: Any = None, info: Any = None, **_: Any) -> float:
        return await asyncio.to_thread(_reward, _row(prompt, completion, answer, info), rubric)

    reward.__name__ = name
    return reward


def rubric(source: RubricLike = None, *, parser: Any = None) -> Any:
    """A `verifiers.Rubric` whose reward is this rubric's; its terms are logged beside it with weight 0. Each rollout is scored by itself:
    terms that are relative to a group see a group of one."""
    import verifiers as vf

    whole = as_rubric(source)
    functions = [_function(whole, "assay_reward")]
    labels = whole.labels if len(whole.labels) > 1 else []
    functions += [_function(whole.only(label).with_weight(1.0), f"assay_{label}") for label in labels]
    made: Callable[..., Any] = getattr(vf, "Rubric", None) or _legacy_rubric()
    extra = {} if parser is None else {"parser": parser}
    return made(funcs=functions, weights=[1.0] + [0.0] * len(labels), **extra)


def _legacy_rubric() -> Callable[..., Any]:
    """Where the legacy API stands apart from the package's own names."""
    import importlib

    made: Callable[..., Any] = importlib.import_module("verifiers.legacy").Rubric
    return made


async def score_trace(trace: Any, row: Mapping[str, Any], source: RubricLike = None) -> float:
    """The reward of a v1 trace: `row` holds `answer` or `verification_info`; the reply is `trace.last_reply`. What is not scored raises
    AssayError: the API then records an error and no reward, which is its word for that."""
    reply = trace.last_reply
    text = reply if isinstance(reply, str) else getattr(reply, "content", None) or ""
    flat = {**row, "completion": str(text)}
    flat.setdefault("task", "code" if "verification_info" in flat else "math")
    result = await asyncio.to_thread(functools.partial(score, [flat], as_rubric(source), jobs=1))
    if result.rewards[0] is None:
        raise AssayError(f"not scored: {result.reasons[0]}", code="unavailable")
    return float(result.rewards[0])
