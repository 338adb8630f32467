"""What the adapters share: rubrics from a name with options, and the end of a text that came with special tokens."""

from __future__ import annotations

import re
from typing import Any

from ._errors import AssayError
from ._rubric import Rubric, RubricLike, as_rubric, verifier

# What ends a turn in the chat templates of common families, and padding.
_ENDS = re.compile(r"(?:\s*(?:<\|(?:im_end|endoftext|eot_id|end_of_text|end|return|eos|pad)\|>|</s>|<eos>|<pad>|<end_of_turn>|<｜end▁of▁sentence｜>))+\s*$")


def rubric_of(source: RubricLike, options: dict[str, Any]) -> Rubric:
    """Options go with the name of one verifier: ("math", {"mode": "completion"})."""
    if not options:
        return as_rubric(source)
    if not isinstance(source, str) or "," in source or "\n" in source or source.endswith(".toml"):
        raise AssayError("options go with the name of one verifier", "put them into the rubric: assay.math(mode=...) + ...")
    return verifier(source, **options)


def without_end(text: str) -> str:
    return _ENDS.sub("", text)


def response_of(query: str, prompt: str) -> str:
    """The response in a query that is prompt and response in one text."""
    return without_end(query[len(prompt) :] if prompt and query.startswith(prompt) else query)


def number_or(value: float | None, unscored: float) -> float:
    return unscored if value is None else float(value)
