"""The one exception of the package."""

from __future__ import annotations


class AssayError(Exception):
    """Bad configuration, or a machine that lacks something. Never for what a candidate did: that is a verdict.

    `code` is stable: "usage", "input", "io", "unavailable", "limit" or "internal". `hint` says what to do; it may be empty.
    """

    def __init__(self, message: str, hint: str = "", code: str = "usage") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint
        self.code = code

    def __reduce__(self) -> tuple[type[AssayError], tuple[str, str, str]]:
        return type(self), (self.message, self.hint, self.code)
