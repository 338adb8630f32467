"""Reward functions of a user's own as terms of a rubric, whatever signature they have.

    f(prompts, completions, **columns) -> list     TRL's: once a group, keywords only
    f(data_source, solution_str, ground_truth, extra_info) -> float or {"score": float}     verl's
    f(completion, **columns) -> float              once a sample, by the names of its parameters
    f(row) -> float                                once a sample, the whole row
    f(text) -> float                               once a sample: one parameter of any other name

Each may be a coroutine function. None means "does not apply"; an exception is a fault of that term and never raised, and so is a call that
takes too long.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ._bounded import Bounded, Interrupted, Late, TooLong

Row = dict[str, Any]
RowsFunction = Callable[[list[Row]], list[Any]]

# What goes wrong stands among the results as (reason, sentence).
_RAISED = "python_error"
_BAD_LENGTH = "reward_bad_length"  # the samples are not asked about one by one: a list of one would fit then
_LATE = "reward_timeout"
_INTERRUPTED = "reward_unavailable"


@dataclass(frozen=True)
class Adapted:
    """A function of a list of rows, as the native side takes it.

    at_once: one call of the user's function holds all the rows, so that what goes wrong goes wrong for all of them, and they are asked
        about again in smaller calls; each may take `timeout_s` (0: as long as it likes).
    """

    call: RowsFunction
    at_once: bool = False
    timeout_s: float = 0

    def __call__(self, rows: list[Row]) -> list[Any]:
        return self.call(rows)


def name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _never() -> bool:
    return False


def adapt(function: Callable[..., Any], timeout_s: float = 0, interrupted: Callable[[], bool] = _never) -> Adapted:
    """The function as one of a list of rows, each with `prompt`, `completion`, `answer`, .. and the user's own columns.

    timeout_s: what one call may take; 0: as long as it likes, on the calling thread. Where it is bounded, a call ends early when
    `interrupted` says so.
    """
    import inspect

    parameters = inspect.signature(function).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = [n for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    # What a row lacks is None, but for parameters that have a default of their own.
    names = None if takes_all else {n: parameters[n].default is parameters[n].empty for n in named}
    if "completions" in named:
        return _all_at_once(lambda rows: _batch(function, rows, names), timeout_s, interrupted)
    if "solution_str" in named:
        return _one_by_one(lambda row: function(**_verl(row, names)), timeout_s, interrupted)
    if "completion" in named:
        return _one_by_one(lambda row: function(**_picked(row, names)), timeout_s, interrupted)
    if named and named[0] == "row":
        return _one_by_one(function, timeout_s, interrupted)
    return _one_by_one(lambda row: function(text_of(row.get("completion"))), timeout_s, interrupted)


def _one_by_one(call: Callable[[Row], Any], timeout_s: float, interrupted: Callable[[], bool]) -> Adapted:
    def one(row: Row) -> Any:
        try:
            return _number(_settled(call(row)))
        except TooLong:
            raise
        except BaseException as error:
            return _sentence(error)

    if not timeout_s:
        return Adapted(lambda rows: [one(row) for row in rows])
    bounded = Bounded(one, timeout_s, interrupted)
    return Adapted(lambda rows: [_in_time(value) for value in bounded(rows)])


def _all_at_once(call: RowsFunction, timeout_s: float, interrupted: Callable[[], bool]) -> Adapted:
    if not timeout_s:
        return Adapted(call, at_once=True)
    bounded = Bounded(call, timeout_s, interrupted)

    def whole(rows: list[Row]) -> list[Any]:
        (values,) = bounded([rows])
        return [_in_time(values)] * len(rows) if isinstance(values, Late) else list(values)

    return Adapted(whole, at_once=True, timeout_s=timeout_s)


def _in_time(value: Any) -> Any:
    if isinstance(value, Interrupted):
        return (_INTERRUPTED, str(value))
    return (_LATE, str(value)) if isinstance(value, Late) else value


def text_of(completion: Any) -> str:
    """The text of a completion: a string, or the contents of the assistant's messages."""
    if isinstance(completion, str):
        return completion
    messages = [completion] if isinstance(completion, dict) else completion
    texts = []
    for message in messages or ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        if isinstance(content, str) and message.get("role", "assistant") == "assistant":
            texts.append(content)
    return "\n\n".join(texts)


def _picked(row: Row, names: dict[str, bool] | None) -> Row:
    """`names`: whether the function must be given each; None: it takes all."""
    return row if names is None else {name: row.get(name) for name, must in names.items() if must or name in row}


def _verl(row: Row, names: dict[str, bool] | None) -> Row:
    out = {
        "data_source": row.get("data_source") or row.get("task"),
        "solution_str": text_of(row.get("completion")),
        "ground_truth": row.get("answer"),
        "extra_info": row.get("extra_info"),
    }
    return _picked(out, names)


def _settled(value: Any) -> Any:
    if not isinstance(value, Coroutine):
        return value
    import asyncio

    return asyncio.run(value)  # scoring threads have no event loop of their own


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("score")
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return (_RAISED, f"the function gave {type(value).__name__}, no number")


def _sentence(error: BaseException) -> tuple[str, str]:
    return (_RAISED, f"{type(error).__name__}: {error}"[:500])


def _batch(function: Callable[..., Any], rows: list[Row], names: dict[str, bool] | None) -> list[Any]:
    columns: dict[str, list[Any]] = {
        "prompts": [row.get("prompt") for row in rows],
        "completions": [row.get("completion") for row in rows],
        "completion_ids": [row.get("token_ids") or [] for row in rows],
    }
    for key in rows[0] if rows else ():
        if key not in ("prompt", "completion", "token_ids"):
            columns[key] = [row.get(key) for row in rows]
    if names is not None:
        columns = {key: columns.get(key, [None] * len(rows)) for key, must in names.items() if must or key in columns}
    try:
        values = list(_settled(function(**columns)))
    except TooLong:
        raise
    except BaseException as error:
        return [_sentence(error)] * len(rows)
    if len(values) != len(rows):
        return [(_BAD_LENGTH, f"the function gave {len(values)} rewards for {len(rows)} completions")] * len(rows)
    return [_number(value) for value in values]
