"""Reward functions of a user's own as terms of a rubric, whatever signature they have.

    f(prompts, completions, **columns) -> list     TRL's: once a group, keywords only
    f(data_source, solution_str, ground_truth, extra_info) -> float or {"score": float}     verl's
    f(completion, **columns) -> float              once a sample, by the names of its parameters
    f(row) -> float                                once a sample, the whole row
    f(text) -> float                               once a sample: one parameter of any other name

Each may be a coroutine function. None means "does not apply"; an exception is a fault of that term and never raised.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

Row = dict[str, Any]
RowsFunction = Callable[[list[Row]], list[Any]]


def name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def adapt(function: Callable[..., Any]) -> RowsFunction:
    """The function as one of a list of rows, each with `prompt`, `completion`, `answer`, .. and the user's own columns."""
    import inspect

    parameters = inspect.signature(function).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = [n for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    if "completions" in named:
        return lambda rows: _batch(function, rows, None if takes_all else set(named))
    if "solution_str" in named:
        return lambda rows: _each(lambda row: function(**_verl(row, None if takes_all else set(named))), rows)
    if "completion" in named:
        return lambda rows: _each(lambda row: function(**_picked(row, None if takes_all else set(named))), rows)
    if named and named[0] == "row":
        return lambda rows: _each(function, rows)
    return lambda rows: _each(lambda row: function(text_of(row.get("completion"))), rows)


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


def _picked(row: Row, names: set[str] | None) -> Row:
    return row if names is None else {name: row.get(name) for name in names}


def _verl(row: Row, names: set[str] | None) -> Row:
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
        return f"the function gave {type(value).__name__}, no number"


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _each(call: Callable[[Row], Any], rows: list[Row]) -> list[Any]:
    out: list[Any] = []
    for row in rows:
        try:
            out.append(_number(_settled(call(row))))
        except Exception as error:
            out.append(_sentence(error))
    return out


def _batch(function: Callable[..., Any], rows: list[Row], names: set[str] | None) -> list[Any]:
    columns: dict[str, list[Any]] = {
        "prompts": [row.get("prompt") for row in rows],
        "completions": [row.get("completion") for row in rows],
        "completion_ids": [row.get("token_ids") or [] for row in rows],
    }
    for key in rows[0] if rows else ():
        if key not in ("prompt", "completion", "token_ids"):
            columns[key] = [row.get(key) for row in rows]
    if names is not None:
        columns = {key: columns.get(key, [None] * len(rows)) for key in names}
    try:
        values = list(_settled(function(**columns)))
    except Exception as error:
        return [_sentence(error)] * len(rows)
    if len(values) != len(rows):
        return [f"the function gave {len(values)} rewards for {len(rows)} completions"] * len(rows)
    return [_number(value) for value in values]
