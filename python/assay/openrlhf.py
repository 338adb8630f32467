"""Rewards for OpenRLHF, in its process: a file for `--reward.remote_url FILE.py` that says

    from assay.openrlhf import reward_func

or this file itself; with a rubric of your own, `reward_func = assay.openrlhf.make("rubrics/r1.toml")`. `assay serve` answers /get_reward
over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from assay._adapting import number_or, response_of
from assay._rubric import RubricLike, as_rubric
from assay._score import score


def row_of(query: Any, prompt: Any, label: Any) -> dict[str, Any]:
    """A query and its label as a row; what is no text is a row that is not scored."""
    text = isinstance(query, str) and isinstance(prompt, str)
    row: dict[str, Any] = {"prompt": prompt, "completion": response_of(query, prompt) if text else query}
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except ValueError:
            pass
    if isinstance(label, dict):
        known = "answer" in label or "verification_info" in label
        row.update(label if known else {"verification_info": label})
        row.setdefault("task", "code" if "verification_info" in row else "math")
    else:
        row.update(answer=label, task="math")
    return row


class RewardFunction:
    """reward_func(queries, prompts, labels) -> {"rewards", "scores", "extra_logs"} of tensors. `labels`: reference answers, or objects (or
    JSON text) with `answer` or `verification_info`. What was not scored is `unscored`, and 0 in extra_logs["scored"]."""

    def __init__(self, rubric: RubricLike = None, *, unscored: float = 0.0) -> None:
        self.rubric = as_rubric(rubric)
        self.unscored = unscored
        self.__name__ = "reward_func"

    def rewards(self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> list[float | None]:
        rows = [row_of(*fields) for fields in zip(queries, prompts, labels, strict=True)]
        return list(score(rows, self.rubric).rewards)

    def __call__(self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any) -> dict[str, Any]:
        import torch

        rewards = self.rewards(queries, prompts, labels)
        numbers = torch.tensor([number_or(reward, self.unscored) for reward in rewards], dtype=torch.float32)
        scored = torch.tensor([float(reward is not None) for reward in rewards], dtype=torch.float32)
        return {"rewards": numbers, "scores": numbers.clamp(0.0, 1.0), "extra_logs": {"scored": scored}}


def make(rubric: RubricLike = None, *, unscored: float = 0.0) -> Callable[..., dict[str, Any]]:
    return RewardFunction(rubric, unscored=unscored)


reward_func = RewardFunction()
