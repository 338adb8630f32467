"""The SQLite file in which runs and data sets are kept; docs/store.md describes it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from . import _core
from ._errors import AssayError

if TYPE_CHECKING:
    from ._score import Result


class Store:
    """Reads a store, or adds runs to it (`write`: made where it is missing). Safe from any thread; one writer at a time on a file."""

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False) -> None:
        self._lock = threading.Lock()
        self._write = write
        self._store: _core.Store | None = _core.open_store(os.fspath(path), write)

    def runs(self) -> list[dict[str, Any]]:
        """[{"name", "finished", "tool_version", "seed", "rubric"}]"""
        with self._lock:
            return self._opened().runs()

    def datasets(self) -> list[dict[str, Any]]:
        """[{"name", "strategy", "rows", "decisions"}]"""
        with self._lock:
            return self._opened().datasets()

    def groups(self, run: str, *, texts: bool = True) -> list[dict[str, Any]]:
        """A run's rows in order: {"file", "line", "error", "problem": row, "samples": [{"completion", "reward", "verdicts", ..}]}."""
        out: list[dict[str, Any]] = []
        with self._lock:
            self._opened().for_each_group(run, texts, out.append)
        return out

    def rows(self, dataset: str, *, texts: bool = True) -> list[dict[str, Any]]:
        """A data set's rows in order: as of `groups`, with the one sample that was taken, `run` and `decision`."""
        out: list[dict[str, Any]] = []
        with self._lock:
            self._opened().for_each_row(dataset, texts, out.append)
        return out

    def add(self, result: Result, run: str) -> None:
        """Records what was scored with keep_texts (or store=) as a run of that name, which there must not be yet."""
        from ._score import KeptScores

        if not result._keeps_texts or isinstance(result._scores, KeptScores):
            raise AssayError("the texts of this result were not kept", "score with keep_texts=True, or with store=PATH")
        with self._lock:
            self._opened().add_run(result._scores, result._rubric.compiled(), run)

    def close(self) -> None:
        with self._lock:
            self._store = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> _core.Store:
        if self._store is None:
            raise AssayError("the store is closed")
        return self._store
