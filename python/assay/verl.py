"""Rewards for verl.

    custom_reward_function.path=pkg://assay.verl  custom_reward_function.name=compute_score
    (or a file with `from assay.verl import compute_score`)
    reward_model.reward_manager=batch             name=compute_score_batch

    reward.reward_manager.source=importlib        name=RewardManager, module.path=pkg://assay.verl

`reward_kwargs` may name a rubric: {rubric: rubrics/r1.toml}. Without one the row decides: programs by their tests, all else as maths.
verl has no word for "not scored": such samples get `unscored` (0.0), and `scored` says 0.0 beside it, which verl logs.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay._adapting import number_or, without_end
from assay._rubric import Rubric, RubricLike, as_rubric
from assay._score import Result, score

_CODE_SOURCES = ("codecontests", "apps", "codeforces", "taco")
# By what was named, and for a file by when it was written: who edits it gets the new one.
_rubrics: dict[tuple[str, int], Rubric] = {}


def _rubric(source: RubricLike) -> Rubric | None:
    if source is None or isinstance(source, Rubric):
        return source
    if not isinstance(source, str):
        return as_rubric(source)
    is_file = source.endswith(".toml") and os.path.exists(source)
    key = (source, os.stat(source).st_mtime_ns if is_file else 0)
    if key not in _rubrics:
        _rubrics[key] = Rubric(source)
    return _rubrics[key]


def _is_code(data_source: Any, truth: Any) -> bool:
    if str(data_source) in _CODE_SOURCES:
        return True
    if isinstance(truth, str) and truth.lstrip().startswith("{"):
        try:
            truth = json.loads(truth)
        except ValueError:
            return False
    return isinstance(truth, Mapping) and ("inputs" in truth or "assert_case" in truth)


def _row(data_source: Any, solution: Any, truth: Any, extra: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "data_source": data_source,
        "task": "code" if _is_code(data_source, truth) else "math",
        "completion": without_end(str(solution)),
        "reward_model": {"ground_truth": truth},
    }
    if isinstance(extra, Mapping):
        row["extra_info"] = dict(extra)
        if isinstance(extra.get("question"), str):
            row["prompt"] = extra["question"]
    return row


def _score_dict(result: Result, at: int, unscored: float) -> dict[str, Any]:
    reward = result.rewards[at]
    verdicts = result.verdict(at) or {}
    passed = bool(verdicts) and all(one.passed for one in verdicts.values() if one.outcome != "abstain")
    return {
        "score": number_or(reward, unscored),
        "acc": float(passed),
        "scored": float(reward is not None),
        "reason": result.reasons[at] or next((one.reason for one in verdicts.values() if not one.passed), "ok"),
    }


def compute_score(
    data_source: Any,
    solution_str: str,
    ground_truth: Any,
    extra_info: Any = None,
    *,
    rubric: RubricLike = None,
    unscored: float = 0.0,
    **_: Any,
) -> dict[str, Any]:
    """One sample: {"score", "acc", "scored", "reason"}, the same keys in every row."""
    return compute_score_batch([data_source], [solution_str], [ground_truth], [extra_info], rubric=rubric, unscored=unscored)[0]


async def compute_score_async(data_source: Any, solution_str: str, ground_truth: Any, extra_info: Any = None, **options: Any) -> dict[str, Any]:
    """The same for the reward loop's manager `naive`, which awaits it."""
    call = functools.partial(compute_score, data_source, solution_str, ground_truth, extra_info, **options)
    return await asyncio.to_thread(call)


def compute_score_batch(
    data_sources: Sequence[Any],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Any] | None = None,
    *,
    rubric: RubricLike = None,
    unscored: float = 0.0,
    **_: Any,
) -> list[dict[str, Any]]:
    """A whole batch in one call, on all cores: for the reward manager `batch`."""
    extras = list(extra_infos) if extra_infos is not None else [None] * len(solution_strs)
    rows = [_row(*fields) for fields in zip(data_sources, solution_strs, ground_truths, extras, strict=True)]
    result = score(rows, _rubric(rubric), input_format="verl")
    return [_score_dict(result, at, unscored) for at in range(len(rows))]


class _Gatherer:
    """Samples that arrive while others are scored go into one call together. For one event loop."""

    def __init__(self, call: Callable[[list[tuple[Any, ...]]], list[dict[str, Any]]]) -> None:
        self._call = call
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[dict[str, Any]]]] = []
        self._task: asyncio.Task[None] | None = None

    async def score(self, fields: tuple[Any, ...]) -> dict[str, Any]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((fields, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                results = await asyncio.to_thread(self._call, [fields for fields, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _reward_manager() -> type:
    """The class `RewardManager`, made where verl is: it derives from verl's own."""
    from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

    class RewardManager(RewardManagerBase):  # type: ignore[misc]
        """A manager for verl's reward loop that scores by Assay's rubric alone: `reward.custom_reward_function.reward_kwargs` names it, a
        reward function of the configuration is not called. Samples that come together are judged in one call, on all cores."""

        def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **_: Any) -> None:
            super().__init__(config, tokenizer, compute_score)
            options = _reward_kwargs(config)
            self._gatherer = _Gatherer(lambda batch: compute_score_batch(*map(list, zip(*batch, strict=True)), **options))

        async def run_single(self, data: Any) -> dict[str, Any]:
            item = data[-1:][0]  # of several sequences the last, as verl's `naive`
            responses = item.batch["responses"]
            length = int(item.batch["attention_mask"][-responses.shape[-1] :].sum())
            text = await asyncio.to_thread(self.tokenizer.decode, responses[:length], skip_special_tokens=True)
            row = item.non_tensor_batch
            result = await self._gatherer.score((row["data_source"], text, row["reward_model"]["ground_truth"], row.get("extra_info")))
            return {"reward_score": result["score"], "reward_extra_info": result}

    return RewardManager


def _reward_kwargs(config: Any) -> dict[str, Any]:
    """`reward.custom_reward_function.reward_kwargs` of a configuration, which may lack any of the three."""
    value = config
    for key in ("reward", "custom_reward_function", "reward_kwargs"):
        value = value.get(key) if value is not None else None
    return dict(value or {})


def __getattr__(name: str) -> Any:
    if name != "RewardManager":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    made = _reward_manager()
    globals()[name] = made
    return made
