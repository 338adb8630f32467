"""Settings, and the engine that a process opens from them when it first scores something.

An engine holds threads' locks and the sandbox's workers. A forked child has neither, so it lets go of its parent's engine and opens its
own when it needs one; the same happens after Ctrl-C has ended what ran in the sandbox.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import _core
from ._errors import AssayError

_NAMES = ("jobs", "isolation", "python", "preimport", "languages", "cache", "no_cache", "jail")


def _flag(text: str) -> bool:
    return text.lower() not in ("", "0", "false", "no", "off")


def _from_environment() -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in _NAMES:
        text = os.environ.get(f"ASSAY_{name.upper()}", "")
        if not text:
            continue
        if name == "jobs":
            if not text.isdigit():
                raise AssayError(f"ASSAY_JOBS is '{text}'", "give a whole number")
            out[name] = int(text)
        elif name == "no_cache":
            out[name] = _flag(text)
        elif name == "preimport":
            out[name] = text.split(",")
        else:
            out[name] = text
    return out


def _program(name: str) -> str:
    """A program of this package; empty where there is none."""
    for folder in (Path(__file__).parent, Path(__file__).resolve().parent):
        if (folder / "bin" / name).exists():
            return str(folder / "bin" / name)
    return ""


def _jail() -> str:
    """The jail of this package; empty where there is none (then ASSAY_JAIL, or beside the running program)."""
    return "" if os.environ.get("ASSAY_JAIL") else _program("assay-jail")


# The verifier `plugin` looks for its host beside the running program, which is Python here.
if _program("assay-plugin-host"):
    os.environ.setdefault("ASSAY_PLUGIN_HOST", _program("assay-plugin-host"))


def _is_jails_python() -> bool:
    """True if this Python is of the jail's minor version: then its library and its packages load there."""
    return _core.jail_python.split(".")[:2] == [str(n) for n in sys.version_info[:2]]


def own_python() -> str:
    """The environment that we run in, whose packages are then there in every box."""
    return sys.executable if sys.executable and _is_jails_python() else ""


def _has_library(stdlib: str) -> bool:
    """True if the Python of this standard library has its code in a shared library, which the jail can then load."""
    folder, name = os.path.split(stdlib)
    return any(os.path.exists(f"{folder}/{place}lib{name}.so.1.0") for place in ("", "x86_64-linux-gnu/"))


def python_library() -> str:
    """The standard library for the jail's Python ("": the one that it was built beside): this environment's where the two fit together, else
    the one that it was built beside, if it is there."""
    built_beside = _core.jail_python_library
    own = ""
    if _is_jails_python():
        import sysconfig

        own = sysconfig.get_path("stdlib")
    if own != built_beside and own and _has_library(own):
        return own
    if os.path.isdir(built_beside):
        return "" if built_beside.startswith("/usr/lib/") else built_beside
    return own


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):
        return f"{base}/assay"
    home = os.environ.get("HOME", "")
    return f"{home}/.cache/assay" if home.startswith("/") else ""


class EngineHolder:
    """One set of settings and the engine made from it, made anew in each process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._given = dict(settings)
        self._engine: _core.Engine | None = None
        self._pid = 0
        self._lock = threading.Lock()
        _holders.append(self)

    def settings(self) -> dict[str, Any]:
        return {**_from_environment(), **self._given}

    def get(self) -> _core.Engine:
        engine = self._engine
        if engine is not None and self._pid == os.getpid() and not engine.cancelled:
            return engine
        if engine is not None and self._pid != os.getpid():
            _after_fork()  # a fork that Python was not told of
        with self._lock:
            if self._engine is None or self._engine.cancelled:
                self._engine = _core.engine(self._native())
                self._pid = os.getpid()
            return self._engine

    def close(self) -> None:
        self._engine = None

    def abandon(self) -> None:
        if self._engine is not None:
            _core.abandon_after_fork(self._engine)
        self._engine = None
        self._lock = threading.Lock()

    def _native(self) -> dict[str, Any]:
        settings = self.settings()
        keep = not settings.get("no_cache", False)
        folder = str(settings.get("cache", ""))
        compiled = folder or _cache_folder()
        return {
            "jobs": settings.get("jobs", 0),
            "isolation": settings.get("isolation", ""),
            "python": str(settings["python"]) if "python" in settings else own_python(),
            "python_library": python_library(),
            "preimport": list(settings.get("preimport", ())),
            "languages": str(settings.get("languages", "")),
            "jail": str(settings["jail"]) if "jail" in settings else _jail(),
            "cache": keep,
            "cache_folder": folder if keep else "",
            "compile_folder": f"{compiled}/compiled" if keep and compiled else "",
        }


_holders: list[EngineHolder] = []


def _after_fork() -> None:
    for holder in _holders:
        holder.abandon()


os.register_at_fork(after_in_child=_after_fork)

_default = EngineHolder({})


def default() -> EngineHolder:
    return _default


def checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Without what was not given; an unknown name or a wrong type is an error."""
    out = {name: value for name, value in settings.items() if value is not None}
    for name, value in out.items():
        if name not in _NAMES:
            raise AssayError(f"unknown setting '{name}'", "there are " + ", ".join(_NAMES))
        wants_int = name == "jobs"
        if wants_int and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise AssayError(f"'jobs' is {value!r}", "give a whole number; 0 is as many as there are cores")
    return out


def configure(
    *,
    jobs: int | None = None,
    isolation: str | None = None,
    python: str | os.PathLike[str] | None = None,
    preimport: Sequence[str] | None = None,
    languages: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    no_cache: bool | None = None,
    jail: str | os.PathLike[str] | None = None,
) -> None:
    """Settings of this process, before or between calls; what is left out stays as it is.

    They beat the variables ASSAY_JOBS, ASSAY_ISOLATION, ... of the command line, which beat the defaults.

    jobs: how many rows are scored at once; 0: as many as there are cores.
    isolation: "namespaces", "landlock" or "none"; "": the best that there is.
    python: an interpreter or a virtual environment whose packages programs in the sandbox may import ("": none). By default
        this one, if it is of the same minor version as the sandbox's.
    preimport: modules that every box has imported already ("numpy").
    languages: a TOML file that declares further languages.
    cache: a folder that keeps verdicts on programs and what was compiled; no_cache: keep nothing, not even in memory.
    jail: the program assay-jail, if not the package's own.
    """
    global _default
    given = checked(
        {
            "jobs": jobs,
            "isolation": isolation,
            "python": python,
            "preimport": preimport,
            "languages": languages,
            "cache": cache,
            "no_cache": no_cache,
            "jail": jail,
        }
    )
    _default.close()
    _default._given.update(given)
