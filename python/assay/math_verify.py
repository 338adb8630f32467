"""Math-Verify's `parse`, `verify` and `math_metric` in their own signatures, by Assay's rules.

    from math_verify import parse, verify               # before
    from assay.math_verify import parse, verify         # after

`parse` finds the answer in a text and keeps where it came from; it gives a list with that answer as text, or an empty one. `verify` compares
two of these lists; `math_metric` makes a function that does both. There are no SymPy objects in between, no SIGALRM, and both may be called from any thread: what a text can cost is
bounded, so time limits are taken and not needed. docs/python.md, "From Math-Verify", lists where verdicts differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from ._rubric import Rubric

__all__ = ["Answer", "ExprExtractionConfig", "LatexExtractionConfig", "Parsed", "StringExtractionConfig", "math_metric", "parse", "verify"]


@dataclass(frozen=True)
class LatexExtractionConfig:
    """Formulas count as answers: in dollars, \\(..\\), \\[..\\], boxes. A negative `boxed_match_priority` is refused (boxes always count);
    other priorities, `normalization_config` and `try_extract_without_anchor` are taken as they are and change nothing."""

    try_extract_without_anchor: bool = True
    boxed_match_priority: int = 50
    normalization_config: Any = None


@dataclass(frozen=True)
class ExprExtractionConfig:
    """Plain expressions count as answers."""

    try_extract_without_anchor: bool = True


@dataclass(frozen=True)
class StringExtractionConfig:
    """One of some strings counts as an answer: the letter of a choice."""

    strings: tuple[str, ...] = ("A", "B", "C", "D")
    try_extract_without_anchor: bool = True
    lowercase: bool = True


ExtractionTarget = LatexExtractionConfig | ExprExtractionConfig | StringExtractionConfig


@dataclass(frozen=True)
class _Reading:
    """How a text is looked at: the verifier's mode, and the choices in mode `string`."""

    mode: str
    choices: tuple[str, ...] = ()


_BARE = _Reading("bare")


class Answer(str):
    """What stands in a text as its answer. It carries the text itself, for `verify` looks at that: units, signs of percent and words
    around a formula belong to an answer."""

    source: str
    reading: _Reading

    def __new__(cls, text: str, source: str, reading: _Reading) -> Answer:
        made = super().__new__(cls, text)
        made.source = source
        made.reading = reading
        return made

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return Answer, (str(self), self.source, self.reading)


Parsed = list[Any]


def _reading_of(configs: Sequence[ExtractionTarget]) -> _Reading:
    latex = expr = False
    choices: tuple[str, ...] = ()
    for config in configs:
        if isinstance(config, StringExtractionConfig):
            choices = tuple(config.strings)
        elif hasattr(config, "boxed_match_priority"):  # also Math-Verify's own classes
            latex = True
            if config.boxed_match_priority < 0:
                raise ValueError("boxed_match_priority below 0 is not offered: a box always counts")
        elif hasattr(config, "strings"):
            choices = tuple(config.strings)
        else:
            expr = True
    if choices and not (latex or expr):
        return _Reading("string", choices)
    return _Reading("latex+expr" if latex and expr else "expr" if expr else "latex", choices)


_rubrics: dict[tuple[Any, ...], Rubric] = {}


def _judge(gold: str, reply: str, options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    rubric = _rubrics.get(options)
    if rubric is None:
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in options}
        rubric = Rubric({"term": [{"verifier": "math", "label": "math", "options": given}]})
        _rubrics[options] = rubric
    scores = rubric.compiled().score([{"completion": reply, "answer": gold}], 1, "assay", "", 1, False)
    verdicts = scores.verdicts(0)
    return dict(verdicts["math"]) if verdicts else {"outcome": "fault", "reason": "gold_bad_row", "detail": scores.reason(0)}


def parse(
    pred: str,
    extraction_config: Sequence[ExtractionTarget] = (LatexExtractionConfig(), ExprExtractionConfig()),
    fallback_mode: str = "first_match",
    extraction_mode: str = "any_match",
    parsing_timeout: float | None = 5,
    raise_on_error: bool = False,
) -> Parsed:
    """The answer in `pred`: [Answer], or [] where none is found. With strings to choose from and `lowercase`, the choice in small
    letters stands first and as it was written second, as in Math-Verify.

    fallback_mode: "no_fallback" gives [] for an answer that is found and cannot be read; else its text is the answer. `extraction_mode`,
    `parsing_timeout` and `raise_on_error` are taken and change nothing: there is one way to look for an answer, it is bounded, and it
    does not raise for what a text holds.
    """
    del extraction_mode, parsing_timeout, raise_on_error
    reading = _reading_of(extraction_config)
    options: tuple[tuple[str, Any], ...] = (("mode", reading.mode),)
    if reading.choices:
        options += (("choices", reading.choices),)
    verdict = _judge(reading.choices[0] if reading.mode == "string" else "1", pred, options)
    found = (verdict.get("evidence") or {}).get("extracted")
    if found is None or (verdict["reason"] == "unparseable" and fallback_mode == "no_fallback"):
        return []
    if reading.mode == "string" and str(found).lower() not in {choice.lower() for choice in reading.choices}:
        return []
    whole = Answer(str(found), pred, reading)
    lowercase = any(getattr(config, "lowercase", False) for config in extraction_config)
    if reading.mode == "string":
        return [Answer(whole.lower(), pred, reading) if lowercase else whole, whole]
    return [whole]


def verify(
    gold: Any,
    target: Any,
    float_rounding: int = 6,
    numeric_precision: int = 15,
    strict: bool = True,
    allow_set_relation_comp: bool = False,
    timeout_seconds: float | None = 5,
    raise_on_error: bool = False,
) -> bool:
    """True if some answer of `target` equals some of `gold`. Both are what `parse` gave, or texts, numbers or SymPy objects, alone or in
    lists, which are read as bare answers.

    float_rounding: numbers that agree when rounded to so many decimal places are equal. strict: False lets variables be renamed.
    allow_set_relation_comp: an inequality meets a gold that is a set. `numeric_precision`, `timeout_seconds` and `raise_on_error` are taken
    and change nothing: numbers are compared exactly, and that is bounded.
    """
    del numeric_precision, timeout_seconds, raise_on_error
    more = (("float_digits", float_rounding), ("strict", strict), ("inequality_for_set", allow_set_relation_comp))
    return any(_equal(one, said, more) for one in _answers(gold) for said in _answers(target))


def math_metric(
    gold_extraction_target: Sequence[ExtractionTarget] = (ExprExtractionConfig(),),
    pred_extraction_target: Sequence[ExtractionTarget] = (ExprExtractionConfig(),),
    aggregation_function: Callable[[list[float]], float] = max,
    precision: int = 6,
) -> Callable[[list[str], list[str]], tuple[float, tuple[list[str], list[str]]]]:
    """A function of reference texts and replies that gives (score, (answers of the references, answers of the replies)).

    A reply scores 1.0 if its answer equals that of some reference, else 0.0; `aggregation_function` makes one number of the replies' scores.
    precision: `float_rounding` of `verify`. ValueError from the function if a reference has no answer.
    """

    def judge(golds: list[str], predictions: list[str]) -> tuple[float, tuple[list[str], list[str]]]:
        wanted = [parse(gold, gold_extraction_target) for gold in golds]
        for text, found in zip(golds, wanted, strict=True):
            if not found:
                raise ValueError(f"no answer in the reference {text!r}")
        said = [parse(reply, pred_extraction_target) for reply in predictions]
        scores = [float(any(verify(gold, one, precision) for gold in wanted)) for one in said]
        texts = [str(one) for found in wanted for one in found], [str(one) for found in said for one in found]
        return aggregation_function(scores), texts

    return judge


def _equal(gold: Answer, said: Answer, more: tuple[tuple[str, Any], ...]) -> bool:
    options = (("mode", said.reading.mode), ("gold_mode", gold.reading.mode), *more)
    choices = said.reading.choices or gold.reading.choices
    if choices:
        options += (("choices", choices),)
    return bool(_judge(gold.source, said.source, options)["outcome"] == "pass")


def _answers(value: Any) -> list[Answer]:
    return [one for item in (value if isinstance(value, (list, tuple)) else [value]) for one in _answer(item)]


def _answer(item: Any) -> list[Answer]:
    if isinstance(item, Answer):
        return [item]
    sympy = sys.modules.get("sympy")
    text = sympy.latex(item) if sympy is not None and isinstance(item, (sympy.Basic, sympy.MatrixBase)) else str(item)
    return [Answer(text, text, _BARE)] if text.strip() else []
