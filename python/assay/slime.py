"""Rewards for slime.

    --custom-rm-path assay.slime.reward         one sample a call, or a list of them (group mode): all in one call, on all cores

`sample.label` is the reference answer, or an object (or JSON text) with `answer` or `verification_info`; fields of `sample.metadata` with a
row's names count, too. slime has no word for "not scored": such samples get 0.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from assay._adapting import number_or
from assay._rubric import Rubric, as_rubric
from assay._score import score
from assay.openrlhf import row_of

_whole: Rubric = as_rubric(None)
_FIELDS = ("answer", "task", "verification_info", "options", "id")


def _row(sample: Any) -> dict[str, Any]:
    row = row_of(getattr(sample, "response", ""), "", getattr(sample, "label", None))
    prompt, metadata = getattr(sample, "prompt", None), getattr(sample, "metadata", None)
    if prompt:
        row["prompt"] = prompt
    if isinstance(metadata, Mapping):
        row.update({key: metadata[key] for key in _FIELDS if metadata.get(key) is not None})
        if "verification_info" in metadata and "task" not in metadata:
            row["task"] = "code"
    return row


async def reward(args: Any, sample: Any, **_: Any) -> float | list[float]:
    """The reward of a sample, or of each of a list."""
    samples = list(sample) if isinstance(sample, (list, tuple)) else [sample]
    rows = [_row(one) for one in samples]
    result = await asyncio.to_thread(score, rows, _whole)
    numbers = [number_or(value, 0.0) for value in result.rewards]
    return numbers if isinstance(sample, (list, tuple)) else numbers[0]
