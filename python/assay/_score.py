"""score and check: rows in, rewards out, by the same reading of rows and the same rubrics as `assay score`."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import _core, _engine
from ._errors import AssayError
from ._rubric import Rubric, RubricLike, as_rubric

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True)
class Verdict:
    """What one verifier says of one completion. True if it passed.

    outcome: "pass", "fail" (the candidate's doing), "abstain" (does not apply) or "fault" (ours, or the row's: never a reward of 0).
    score: in [0, 1]; reason: stable, docs/reasons.md; detail: a sentence; ms: wall clock.
    """

    outcome: str
    score: float = 0.0
    reason: str = ""
    detail: str = ""
    evidence: dict[str, Any] = field(default_factory=dict, repr=False)
    ms: float = field(default=0.0, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        return self.outcome == "pass"

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return f"{self.outcome} ({self.reason})" + (f": {self.detail}" if self.detail else "")

    @classmethod
    def _of(cls, plain: Mapping[str, Any]) -> Verdict:
        return cls(
            outcome=plain["outcome"],
            score=plain["score"],
            reason=plain["reason"],
            detail=plain.get("detail", ""),
            evidence=plain.get("evidence") or {},
            ms=plain.get("ms", 0.0),
        )


class Result:
    """What came of scoring some rows. One entry a row everywhere, in the order in which they came.

    A flat row (`completion`) has one value, a group (`completions`) a list of them. None is "not scored": a fault of ours or of the row,
    or nothing applied; `reasons` says which. It is never 0. A result can be pickled, without the texts that were kept for a store.
    """

    def __init__(self, scores: _core.Scores | KeptScores, rubric: Rubric, *, keeps_texts: bool, index: Any = None) -> None:
        self._scores = scores
        self._rubric = rubric
        self._keeps_texts = keeps_texts
        self._index = index

    def __len__(self) -> int:
        return len(self._scores)

    @cached_property
    def rewards(self) -> list[Any]:
        return self._scores.rewards()

    @cached_property
    def advantages(self) -> list[Any]:
        """(reward - mean) / (deviation + 1e-4) within the group; None for a flat row that is in none (see `group_by`)."""
        return self._scores.advantages()

    @cached_property
    def verdicts(self) -> list[Any]:
        """{label: Verdict} for a flat row, a list of these for a group, None for a row that could not be read."""
        return [self.verdict(row) for row in range(len(self))]

    def verdict(self, row: int) -> Any:
        plain = self._scores.verdicts(self._row(row))
        if plain is None:
            return None
        if isinstance(plain, list):
            return [_verdicts_of(one) for one in plain]
        return _verdicts_of(plain)

    def parts(self, row: int) -> Any:
        """What each term brought to the reward: {label: float or None}, or a list of these."""
        return self._scores.parts(self._row(row))

    @cached_property
    def reasons(self) -> list[str | None]:
        """Why a row (or the first such sample of a group) has no reward; None where it has."""
        return [self._scores.reason(row) for row in range(len(self))]

    def summary(self) -> dict[str, Any]:
        """Counts: rows, bad_rows, groups, samples, scored, reward_mean, and by term how often which reason."""
        return self._scores.summary()

    def lines(self, *, times: bool = True) -> Iterator[str]:
        """The lines that `assay score` writes (without `times`: the same bytes as --no-times)."""
        for row in range(len(self)):
            yield self._scores.line(row, times)

    def to_list(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def to_jsonl(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """The lines into a file, or without a path as one text."""
        if path is None:
            return "".join(line + "\n" for line in self.lines())
        with open(path, "w", encoding="utf-8") as out:
            for line in self.lines():
                out.write(line + "\n")
        return None

    def to_columns(self) -> dict[str, list[Any]]:
        """One entry a sample: row, sample, reward, advantage, reason, and for each term LABEL, LABEL_outcome and LABEL_reason."""
        return self._scores.columns()

    def to_pandas(self) -> pandas.DataFrame:
        """`to_columns` as a table; with the index of the table that was scored if its rows are flat."""
        import pandas

        table = pandas.DataFrame(self.to_columns())
        if self._index is not None and len(table) == len(self):
            table.index = self._index
        return table

    def to_arrow(self) -> pyarrow.Table:
        import pyarrow

        return pyarrow.table(self.to_columns())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self.lines():
            yield json.loads(line)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One of `to_list`."""
        out: dict[str, Any] = json.loads(self._scores.line(self._row(row), True))
        return out

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if not isinstance(getattr(type(self), key, None), cached_property)}
        return {**state, "_scores": KeptScores.of(self._scores), "_keeps_texts": False}

    def __repr__(self) -> str:
        return "\n".join(self._report())

    def _report(self) -> list[str]:
        said = self.summary()
        mean = said["reward_mean"]
        text = f"{said['rows']:,} rows, {said['samples']:,} samples"
        if mean is not None:
            text += f", reward {mean:.4f}"
        not_scored = said["samples"] - said["scored"]
        if not_scored or said["bad_rows"]:
            text += f", not scored {not_scored:,} samples and {said['bad_rows']:,} rows"
        lines = [f"<assay.Result: {text}>"]
        for label, tally in said["terms"].items():
            judged = tally["pass"] + tally["fail"]
            share = f"{100 * tally['pass'] / judged:.1f} %" if judged else "-"
            reasons = sorted((item for item in tally["reasons"].items() if item[0] != "ok"), key=lambda item: -item[1])[:5]
            lines.append(f"  {label}: pass {share}" + "".join(f"; {reason} {count:,}" for reason, count in reasons))
        return lines

    def _repr_html_(self) -> str:
        import html

        head, *terms = self._report()
        shown = min(len(self), 10)
        cells = []
        for row in range(shown):
            plain = self._scores.verdicts(row)
            first = (plain[0] if isinstance(plain, list) and plain else plain) or {}
            said = "; ".join(f"{label}: {one['outcome']} ({one['reason']})" for label, one in first.items()) if first else ""
            reward = json.dumps(self.rewards[row])
            cells.append(f"<tr><td>{row}</td><td>{html.escape(reward)}</td><td>{html.escape(said)}</td></tr>")
        more = f"<p>and {len(self) - shown:,} more rows</p>" if len(self) > shown else ""
        summary = "<br>".join(html.escape(line.strip()) for line in [head.strip("<>"), *terms])
        table = "<table><tr><th>row</th><th>reward</th><th>first verdicts</th></tr>" + "".join(cells) + "</table>"
        return f"<div><p>{summary}</p>{table}{more}</div>"

    def _row(self, row: int) -> int:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return row % len(self)


@dataclass(frozen=True)
class KeptScores:
    """What the native scores say, as plain data: a result that was pickled. One entry a row."""

    all_rewards: list[Any]
    all_advantages: list[Any]
    all_verdicts: list[Any]
    all_parts: list[Any]
    all_reasons: list[str | None]
    all_lines: list[tuple[str, str]]  # without times, with
    all_columns: dict[str, list[Any]]
    counts: dict[str, Any]

    @classmethod
    def of(cls, scores: _core.Scores | KeptScores) -> KeptScores:
        rows = range(len(scores))
        return cls(
            scores.rewards(),
            scores.advantages(),
            [scores.verdicts(row) for row in rows],
            [scores.parts(row) for row in rows],
            [scores.reason(row) for row in rows],
            [(scores.line(row, False), scores.line(row, True)) for row in rows],
            scores.columns(),
            scores.summary(),
        )

    def __len__(self) -> int:
        return len(self.all_rewards)

    def rewards(self) -> list[Any]:
        return self.all_rewards

    def advantages(self) -> list[Any]:
        return self.all_advantages

    def verdicts(self, row: int) -> Any:
        return self.all_verdicts[row]

    def parts(self, row: int) -> Any:
        return self.all_parts[row]

    def reason(self, row: int) -> str | None:
        return self.all_reasons[row]

    def line(self, row: int, times: bool) -> str:
        return self.all_lines[row][times]

    def columns(self) -> dict[str, list[Any]]:
        return self.all_columns

    def summary(self) -> dict[str, Any]:
        return self.counts


def _verdicts_of(plain: Mapping[str, Any]) -> dict[str, Verdict]:
    return {label: Verdict._of(one) for label, one in plain.items()}


# --- What can be scored.


def _is_table(columns: Mapping[str, Any]) -> bool:
    """True for columns, false for one row: a column of completions is a list, of groups a list of lists."""

    def listed(value: Any) -> bool:
        return not isinstance(value, (str, bytes, Mapping)) and isinstance(value, Iterable)

    if "completions" in columns:
        values = list(columns["completions"]) if listed(columns["completions"]) else []
        return bool(values) and all(listed(value) and not _is_chat(value) for value in values)
    return bool(columns) and all(listed(value) for value in columns.values()) and not _is_chat(columns.get("completion"))


def _is_chat(value: Any) -> bool:
    return isinstance(value, Sequence) and bool(value) and isinstance(value[0], Mapping) and "role" in value[0]


def _as_lists(columns: Mapping[str, Any]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for name, values in columns.items():
        out[str(name)] = values if isinstance(values, list) else list(values.tolist() if hasattr(values, "tolist") else values)
    lengths = {len(values) for values in out.values()}
    if len(lengths) > 1:
        raise AssayError("the columns are of unequal length", ", ".join(f"{name}: {len(v)}" for name, v in out.items()), "input")
    return out


def _as_row(row: Any) -> Any:
    """A row that is no mapping but knows itself as one: a named tuple, a dataclass, pydantic's."""
    if isinstance(row, (Mapping, str)) or row is None:
        return row
    for method in ("_asdict", "model_dump"):
        if callable(getattr(row, method, None)):
            return getattr(row, method)()
    if hasattr(row, "__dataclass_fields__") and not isinstance(row, type):
        return {name: getattr(row, name) for name in row.__dataclass_fields__}
    return row


def _is_line(row: Any) -> bool:
    """True for a line of JSON Lines."""
    return isinstance(row, str) and row.lstrip().startswith("{")


def rows_of(data: Any) -> tuple[list[Any] | dict[str, list[Any]], int, Any]:
    """What is scored as a list of rows or as columns, how many there are, and a DataFrame's index."""
    if isinstance(data, (str, os.PathLike)):
        from .datasets import rows_or_lines

        data = rows_or_lines(data)
    if isinstance(data, Mapping):
        if not _is_table(data):
            return [dict(data)], 1, None
        columns = _as_lists(data)
        return columns, len(next(iter(columns.values()), [])), None
    index = None
    columns = {}
    if hasattr(data, "collect_schema") and hasattr(data, "lazy"):  # polars, not yet computed
        data = data.collect() if hasattr(data, "collect") else data
    if hasattr(data, "iloc") and hasattr(data, "columns"):  # pandas
        index = data.index
        columns = {str(name): data[name].tolist() for name in data.columns}
    elif hasattr(data, "to_pydict"):  # pyarrow
        columns = data.to_pydict()
    elif hasattr(data, "column_names") and hasattr(data, "with_format"):  # Hugging Face
        columns = _as_lists(data.with_format(None)[:])
    elif hasattr(data, "to_dict") and hasattr(data, "get_columns"):  # polars
        columns = data.to_dict(as_series=False)
    elif isinstance(data, Iterable):
        rows = list(data)
        if not all(type(row) is dict for row in rows):
            rows = [_as_row(row) for row in rows]
        if rows and not any(isinstance(row, Mapping) or _is_line(row) for row in rows):
            raise AssayError(f"row 0 is {type(rows[0]).__name__}", "a row is a dict with `completion` or `completions`", "input")
        return rows, len(rows), None
    else:
        raise AssayError(
            f"{type(data).__name__} cannot be scored", "give a list of rows, columns, a DataFrame, a Dataset, a Table or a path", "input"
        )
    return columns, len(next(iter(columns.values()), [])), index


def score(
    data: Any,
    rubric: RubricLike = None,
    *,
    group_by: str = "",
    input_format: str = "",
    jobs: int = 0,
    store: str | os.PathLike[str] | None = None,
    run: str = "default",
    keep_texts: bool = False,
) -> Result:
    """Scores rows: dicts (or lines of JSON) in a list, columns in a dict, a pandas or polars DataFrame, a pyarrow Table, a datasets.Dataset, or
    a path of .jsonl, .jsonl.gz or .parquet. Rows are what docs/formats.md says: `completion` or `completions`, and what the verifiers need
    (`answer`, `verification_info`, ..).

    rubric: a Rubric or anything that makes one; without it each row's `task` names the verifier.
    group_by: flat rows that share this field (and all that decides a verdict) are a group.
    input_format: how rows are laid out, if not by their keys.
    jobs: rows at once; 0: as configured.
    store, run: record everything in this SQLite file as the run of that name. keep_texts: so that Store.add can do so later.

    Never raises for what a row or a completion holds; AssayError for a rubric, a setting or a table that is none. Ctrl-C stops it.
    """
    judge = as_rubric(rubric)
    rows, count, index = rows_of(data)
    keep = keep_texts or store is not None
    compiled = judge.compiled()
    scores = compiled.score(rows, count, input_format, group_by, jobs, keep)
    result = Result(scores, judge, keeps_texts=keep, index=index)
    if store is not None:
        from ._store import Store

        with Store(store, write=True) as opened:
            opened.add(result, run)
    return result


async def score_async(data: Any, rubric: RubricLike = None, **options: Any) -> Result:
    """`score` on another thread, awaited; any number of these run side by side."""
    import asyncio  # not at the top: it takes longer to import than all else here

    return await asyncio.to_thread(functools.partial(score, data, rubric, **options))


def as_tests(tests: Any) -> dict[str, Any]:
    """A `verification_info`: a mapping or its JSON, or asserts as text or a list of texts."""
    if isinstance(tests, str):
        try:
            tests = json.loads(tests) if tests.lstrip().startswith("{") else {"asserts": tests}
        except ValueError as error:
            raise AssayError(f"the tests are no JSON: {error}", "asserts are fine as they are") from None
    if isinstance(tests, Mapping):
        return dict(tests)
    if isinstance(tests, Sequence) and all(isinstance(one, str) for one in tests):
        return {"asserts": list(tests)}
    raise AssayError("tests are asserts or a verification_info", "for example {'asserts': 'assert f(1) == 2'}")


_check_rubrics: dict[str, Rubric] = {}


def check(gold: Any, answer: Any, verifier: str = "math", **options: Any) -> Verdict:
    """Does `answer` equal `gold`? One verdict, as `assay check` gives it.

    gold: the reference answer, a list of answers any of which counts, or, for "code", the tests: `verification_info`, or asserts.
        None is no answer, and a fault.
    For "math" both are answers and not whole replies, unless mode="completion" says otherwise.
    """
    if verifier == "math":
        options.setdefault("mode", "bare")
    key = json.dumps([verifier, options], sort_keys=True, default=str)
    rubric = _check_rubrics.get(key)
    if rubric is None:
        rubric = Rubric({"term": [{"verifier": verifier, "label": "check", "options": options}]})
        if len(_check_rubrics) > 64:
            _check_rubrics.clear()
        _check_rubrics[key] = rubric
    row: dict[str, Any] = {"completion": answer if answer is None or isinstance(answer, (str, list)) else str(answer)}
    if isinstance(gold, Mapping):
        row["verification_info"] = dict(gold)
    elif verifier == "code":
        row["verification_info"] = as_tests(gold)
    else:
        golds = [str(one) for one in (gold if isinstance(gold, (list, tuple)) else [gold]) if one is not None]
        row["answer"] = golds or None
    scores = rubric.compiled().score([row], 1, "assay", "", 1, False)
    plain = scores.verdicts(0)
    if plain is None:
        return Verdict("fault", reason="gold_bad_row", detail=scores.reason(0) or "")
    return Verdict._of((plain[0] if isinstance(plain, list) else plain)["check"])


async def check_async(gold: Any, answer: Any, verifier: str = "math", **options: Any) -> Verdict:
    import asyncio

    return await asyncio.to_thread(functools.partial(check, gold, answer, verifier, **options))


@dataclass(frozen=True)
class VerifierInfo:
    """A verifier: its name, one line about it, and its options by name ({"type", "default", "help", "choices"?})."""

    name: str
    summary: str
    needs_sandbox: bool
    options: dict[str, dict[str, Any]] = field(repr=False)


def verifiers() -> list[VerifierInfo]:
    """All built-in verifiers, by name."""
    return [VerifierInfo(**row) for row in _core.verifiers()]


def doctor() -> dict[str, Any]:
    """What stands between programs and this machine: isolation, layers, languages and their versions, advice."""
    return _core.doctor(_engine.default().get())
