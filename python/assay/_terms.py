"""The verifiers as functions that give rubrics of one term. Options are those of `assay verifiers NAME`; weights come by multiplication."""

from __future__ import annotations

from typing import Any

from ._rubric import Rubric, verifier


def math(**options: Any) -> Rubric:
    """Finds the final answer in a reply and compares it with the row's `answer`, exactly."""
    return verifier("math", **options)


def code(**options: Any) -> Rubric:
    """Runs the program in a reply against the row's tests, in the sandbox."""
    return verifier("code", **options)


def format(**options: Any) -> Rubric:
    """One <think>..</think> pair first, then a non-empty answer; or another template."""
    return verifier("format", **options)


def exact(**options: Any) -> Rubric:
    """The answer is one of the row's answers, to the letter."""
    return verifier("exact", **options)


def qa(**options: Any) -> Rubric:
    """A short answer in words: normalised match, or F1 over words."""
    return verifier("qa", **options)


def regex(**options: Any) -> Rubric:
    """The whole answer matches a regular expression."""
    return verifier("regex", **options)


def countdown(**options: Any) -> Rubric:
    """Arithmetic over the row's numbers that makes the row's target."""
    return verifier("countdown", **options)


def length(**options: Any) -> Rubric:
    """A score by length: soft punishment of what is too long, cosine, a target."""
    return verifier("length", **options)


def repetition(**options: Any) -> Rubric:
    """The share of a reply's word n-grams that are new."""
    return verifier("repetition", **options)
