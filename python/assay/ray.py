"""Scoring in Ray Data: actors that open their engine once, columns added to each batch.

    ds = ds.map_batches(assay.ray.Scorer, fn_constructor_kwargs={"rubric": "math"}, concurrency=4)
"""

from __future__ import annotations

import os
from typing import Any

from ._rubric import Rubric, RubricLike, as_rubric
from ._score import score


class Scorer:
    """A callable for `map_batches`: adds `reward` (NaN: not scored), `reward_reason`, `reward_details` (the line that `assay score` writes; not with `details=False`)
    and, for flat rows with `group_by`, `advantage`.

    A batch must hold groups whole: rows with `completions` are, flat rows are where `ds.groupby(key).map_groups` makes the batches.
    `jobs`: rows at once in this actor; by default as many as the CPUs that Ray gave it.
    """

    def __init__(
        self,
        rubric: RubricLike | dict[str, Any] = None,
        *,
        group_by: str = "",
        jobs: int = 0,
        column: str = "reward",
        details: bool = True,
    ) -> None:
        self.rubric: Rubric = as_rubric(rubric)
        self.group_by = group_by
        self.jobs = jobs or int(os.environ.get("RAY_ASSAY_JOBS", "0")) or _cpus_of_actor()
        self.column = column
        self.details = details

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import numpy

        columns = {name: values.tolist() if hasattr(values, "tolist") else list(values) for name, values in batch.items()}
        result = score(columns, self.rubric, group_by=self.group_by, jobs=self.jobs)
        out = dict(batch)
        out[self.column] = _array(result.rewards, numpy)
        out[f"{self.column}_reason"] = numpy.array([reason or "" for reason in result.reasons], dtype=object)
        if self.details:
            out[f"{self.column}_details"] = numpy.array(list(result.lines(times=False)), dtype=object)
        if self.group_by or "completions" in columns:
            out["advantage"] = _array(result.advantages, numpy)
        return out


def _array(values: list[Any], numpy: Any) -> Any:
    """Floats with NaN for None; lists of them stay lists."""
    nan = float("nan")
    if any(isinstance(value, list) for value in values):
        out = numpy.empty(len(values), dtype=object)
        for at, value in enumerate(values):
            out[at] = [nan if one is None else one for one in value] if isinstance(value, list) else []
        return out
    return numpy.array([nan if value is None else value for value in values], dtype=float)


def _cpus_of_actor() -> int:
    try:
        import ray

        given = ray.get_runtime_context().get_assigned_resources().get("CPU", 0)
        return max(int(given), 1)
    except Exception:  # outside of Ray
        return 0
