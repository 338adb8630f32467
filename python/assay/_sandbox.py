"""The sandbox by itself: run a program that nobody trusts, or judge one by tests."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _core, _engine
from ._errors import AssayError
from ._rubric import Rubric
from ._score import Verdict, as_tests


@dataclass(frozen=True)
class RunResult:
    """What a program did. True if it ended well.

    cause: why it ended, the first cause: "ok", "nonzero_exit", "signal", "cpu_limit", "wall_limit", "memory_limit", "process_limit",
        "output_limit", "disk_limit", "policy", "compile_error", "worker_lost", or "fault" (ours; `fault` says what).
    stdout, stderr: as text, bytes that are no UTF-8 as U+FFFD; stdout_bytes and stderr_bytes are exact.
    files: what was asked for with `fetch_files` and was there, by name.
    """

    cause: str
    exit_code: int | None
    signal: int | None
    stdout: str
    stderr: str
    stdout_truncated: bool
    stderr_truncated: bool
    cpu_ms: float
    wall_ms: float
    peak_memory_kib: int
    isolation: str
    fault: str = ""
    stdout_bytes: bytes = field(default=b"", repr=False)
    stderr_bytes: bytes = field(default=b"", repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return self.cause == "ok"

    def __bool__(self) -> bool:
        return self.ok


_FIELDS = tuple(RunResult.__dataclass_fields__)


def _bytes(value: str | bytes, what: str) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise AssayError(f"{what} is {type(value).__name__}", "give text or bytes")


class Sandbox:
    """Runs programs in boxes of their own; docs/sandbox.md says what holds them. Safe from any thread; workers start with the first run.

    Settings are those of `assay.configure`; without any it shares the process's own sandbox. AssayError("unavailable") if this machine
    cannot isolate, with advice.
    """

    def __init__(self, **settings: Any) -> None:
        self._given = _engine.checked(settings)
        self._holder = _engine.EngineHolder(self._given) if self._given else _engine.default()
        self._judges: dict[str, Rubric] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Sandbox, **self._given), ()  # its settings: each process starts workers of its own

    def run(
        self,
        source: str | bytes,
        language: str = "python",
        *,
        stdin: str | bytes = b"",
        files: Mapping[str, str | bytes] | None = None,
        fetch_files: Sequence[str] = (),
        args: Sequence[str] = (),
        allow: Sequence[str] = (),
        **limits: int,
    ) -> RunResult:
        """Runs one program. limits: cpu_ms, wall_ms, memory_mib, processes, output_bytes, files, disk_mib, stack_mib, open_files,
        compile_cpu_ms (docs/sandbox.md has the defaults). files lie beside it in its working folder; fetch_files are handed
        back from there. allow: ["subprocess"]."""
        job = {
            "language": language,
            "source": source if isinstance(source, str) else _bytes(source, "the program").decode("utf-8", "replace"),
            "args": list(args),
            "allow": list(allow),
            "collect": [os.fspath(name) for name in fetch_files],
            "limits": limits,
        }
        beside = {os.fspath(name): _bytes(content, f"the file '{os.fspath(name)}'") for name, content in (files or {}).items()}
        plain = _core.run(self._holder.get(), job, _bytes(stdin, "stdin"), beside)
        return RunResult(**{name: plain[name] for name in _FIELDS if name in plain})

    async def run_async(self, source: str | bytes, language: str = "python", **options: Any) -> RunResult:
        import asyncio

        return await asyncio.to_thread(functools.partial(self.run, source, language, **options))

    def judge(self, completion: str, tests: Mapping[str, Any] | Sequence[str], *, prompt: str = "", **options: Any) -> Verdict:
        """Judges the program in a reply (or the program alone) by tests: asserts as text or a list of texts, or a `verification_info` of
        docs/code.md, for example {"asserts": "assert f(1) == 2"}, {"test_cases": [{"input", "output", "type"}]}, {"test", "entry_point"}."""
        key = repr(sorted(options.items()))
        if key not in self._judges:
            self._judges[key] = Rubric({"term": [{"verifier": "code", "options": options}]})
        row = {"prompt": prompt, "completion": completion, "verification_info": as_tests(tests)}
        scores = self._judges[key].compiled(self._holder).score([row], 1, "assay", "", 1, False)
        plain = scores.verdicts(0)
        if plain is None:
            return Verdict("fault", reason="gold_bad_row", detail=scores.reason(0) or "")
        return Verdict._of(plain["code"])

    async def judge_async(self, completion: str, tests: Mapping[str, Any] | Sequence[str], **options: Any) -> Verdict:
        import asyncio

        return await asyncio.to_thread(functools.partial(self.judge, completion, tests, **options))

    def doctor(self) -> dict[str, Any]:
        """What is in force here: isolation, layers, languages, advice."""
        return _core.doctor(self._holder.get())

    def close(self) -> None:
        """Ends this sandbox's workers, unless it is the process's own."""
        if self._holder is not _engine.default():
            self._judges.clear()
            self._holder.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
