"""Rewards for TRL's GRPOTrainer and RLOOTrainer.

    trainer = GRPOTrainer(..., reward_funcs=assay.trl.reward("math"))
    trainer = GRPOTrainer(..., reward_funcs=[assay.trl.reward(rubric), my_own])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._adapting import rubric_of
from ._rubric import Rubric, RubricLike, verifier
from ._score import score

# What TRL hands over besides the data set's columns.
_NOT_COLUMNS = ("trainer_state", "log_extra", "log_metric", "environments")


class Reward:
    """One reward function as TRL calls it: keywords only, a list of floats out, None where something was not scored (TRL leaves it out).

    Takes both formats: texts, and lists of messages. The data set's columns are the rows' fields (`answer` or `solution`,
    `verification_info`, ..). Picklable, so that it can be sent to a rollout worker; safe from any thread. Never raises for what a
    model wrote. Completions with one prompt are a group for terms that are relative to it; where TRL splits a group over processes,
    each sees its part.
    """

    def __init__(self, rubric: Rubric, name: str, *, log: bool = False) -> None:
        self.rubric = rubric
        self.__name__ = name
        self._log = log
        self._relative = any("relative" in term for term in rubric.to_dict().get("terms", ()))

    def __call__(
        self,
        prompts: list[Any] | None = None,
        completions: list[Any] | None = None,
        completion_ids: list[list[int]] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        said = list(completions or ())
        table: dict[str, list[Any]] = {
            key: values.tolist() if hasattr(values, "tolist") else list(values)
            for key, values in columns.items()
            if key not in _NOT_COLUMNS and _is_column(values) and len(values) == len(said)
        }
        table["completion"] = said
        if prompts is not None:
            table["prompt"] = list(prompts)
        if completion_ids is not None:
            table["token_ids"] = list(completion_ids)
        rows = [{key: values[i] for key, values in table.items()} for i in range(len(said))]
        result = score(rows, self.rubric, group_by="prompt" if self._relative and prompts is not None else "")
        rewards = [value[0] if isinstance(value, list) and value else value for value in result.rewards]
        if self._log:
            self._say(rewards, result.reasons, columns)
        return rewards

    def _say(self, rewards: list[float | None], reasons: list[str | None], columns: dict[str, Any]) -> None:
        log_metric: Callable[..., Any] | None = columns.get("log_metric")
        log_extra: Callable[..., Any] | None = columns.get("log_extra")
        if log_metric is not None and rewards:
            log_metric(f"{self.__name__}/not_scored", sum(reward is None for reward in rewards) / len(rewards))
        if log_extra is not None:
            log_extra(f"{self.__name__}_reason", [reason or "" for reason in reasons])

    def __repr__(self) -> str:
        return f"assay.trl.Reward({self.__name__!r}, {self.rubric!r})"


def _is_column(values: Any) -> bool:
    """A list, or what another library calls one (numpy, pandas, torch)."""
    return isinstance(values, (list, tuple)) or (hasattr(values, "tolist") and getattr(values, "ndim", 0) >= 1)


def reward(rubric: RubricLike = "math", *, name: str = "", log: bool = False, **options: Any) -> Reward:
    """A reward function of a rubric (or of one verifier with its options). `name`: what TRL calls it in logs. `log`: the share that was
    not scored as a metric, and reasons beside the completions, where TRL offers log_metric and log_extra."""
    made = rubric_of(rubric, options)
    return Reward(made, name or _short_name(made), log=log)


def rewards(rubric: RubricLike) -> list[Reward]:
    """One function for each term of a rubric, so that TRL logs them apart: with `GRPOConfig(reward_weights=assay.trl.weights(rubric))`
    their weighted sum is the rubric's reward, where its rule is the sum."""
    whole = rubric_of(rubric, {})
    return [Reward(whole.only(label).with_weight(1.0), label) for label in whole.labels]


def weights(rubric: RubricLike) -> list[float]:
    """The weights of a rubric's terms, in the order of `rewards`."""
    return [float(term["weight"]) for term in rubric_of(rubric, {}).to_dict()["terms"]]


def _short_name(rubric: Rubric) -> str:
    name = rubric.name.rsplit("/", 1)[-1].removesuffix(".toml")
    return name.replace(" + ", "_and_").replace(",", "_and_") or "assay"


def accuracy_reward(completions: list[Any], solution: list[Any], **_: Any) -> list[float | None]:
    """TRL's reward of that name, by Assay's rules: 1.0 if the completion's final answer equals the solution's, else 0.0; None if the
    solution, which may be a bare answer or a whole text, has none."""
    return _accuracy(completions=completions, answer=list(solution))


def think_format_reward(completions: list[Any], **_: Any) -> list[float | None]:
    """TRL's reward of that name, by Assay's rules: 1.0 for <think>..</think> that holds something and an answer behind it, else 0.0."""
    return _think(completions=completions)


_accuracy = Reward(verifier("math", gold_mode="latex+expr"), "accuracy_reward")
_think = Reward(Rubric("format"), "think_format_reward")
