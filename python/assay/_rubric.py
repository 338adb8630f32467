"""Rubrics: which verifiers judge, with which weights and rules. docs/rubrics.md says what each key means."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Union

from . import _core, _engine
from ._callables import adapt, name_of
from ._errors import AssayError

RubricLike = Union["Rubric", str, "os.PathLike[str]", Mapping[str, Any], Callable[..., Any], None]

_OWN = "callable:"  # a term's verifier, where it is a function
_TIMEOUT_S = 60.0  # of a call of one, unless its options say otherwise; that of the verifier `python`


class Rubric:
    """Immutable; safe from any thread; picklable where its functions are.

    `source` is a path of a TOML file, TOML text, a mapping of the same keys (`term` or `terms`: a list), names of verifiers ("math,format",
    each weighs 1), a reward function, or nothing: then each row's `task` names the verifier. In Python:

        assay.math() + 0.2 * assay.format()            a sum
        assay.format().gate() + assay.math()           nothing counts unless the format passes
        assay.math() + 0.1 * assay.term(my_function)   own functions

    AssayError says what is wrong with a rubric and where.
    """

    def __init__(self, source: RubricLike = None, *, name: str = "") -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        self._keys: dict[str, Any] | None = None
        self._compiled: tuple[_core.Engine, _core.CompiledRubric] | None = None
        self._folder = ""  # where file names in options start from
        if isinstance(source, Rubric):
            self._functions = dict(source._functions)
            self._folder = source._folder
            self._keys = None if source._keys is None else dict(source._keys)
        elif isinstance(source, Mapping):
            self._keys = self._read(dict(source), name)
        elif callable(source) and not isinstance(source, (str, os.PathLike)):
            self._keys = self._read({"term": [self._function_term(source)]}, name)
        elif isinstance(source, (str, os.PathLike)):
            self._keys = self._from_text(source, name)
        elif source is not None:
            raise AssayError(f"a rubric cannot be made of {type(source).__name__}", "give a path, TOML, a dict or a function")
        self._spec = self._make_spec()

    @classmethod
    def from_toml(cls, text: str, name: str = "rubric") -> Rubric:
        out = cls()
        out._keys = _spec_keys(_core.rubric_from_toml(text, name))
        out._spec = out._make_spec()
        return out

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Rubric:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise AssayError(f"cannot read '{os.fspath(path)}': {error.strerror}", "check the path", "io") from None
        out = cls.from_toml(text, os.fspath(path))
        out._folder = os.path.dirname(os.path.abspath(path)) + "/"
        out._spec = out._make_spec()
        return out

    @property
    def name(self) -> str:
        return str((self._keys or {}).get("name", ""))

    @property
    def by_task(self) -> bool:
        """True if the rows say themselves which verifier judges them."""
        return self._keys is None

    @property
    def labels(self) -> list[str]:
        """What the terms are called in verdicts and parts; empty if the rows decide."""
        return [str(term["label"]) for term in (self._keys or {}).get("term", ())]

    def to_dict(self) -> dict[str, Any]:
        """The keys of a rubric file; functions stand in it by name only."""
        return self._spec.to_dict()

    def explain(self) -> str:
        """The rubric in words, with warnings where failing can pay."""
        info = self._spec.info()
        return str(info["words"]) + "".join(f"warning: {warning}\n" for warning in info["warnings"])

    # --- One term.

    def gate(self) -> Rubric:
        """Nothing counts unless every term of this rubric passes."""
        return self._with({"gate": True}, rule="gate")

    def label(self, label: str) -> Rubric:
        if len(self._terms()) != 1:
            raise AssayError("a label is for one term", "label each before they are added")
        return self._with({"label": label})

    def when(self, **fields: Any) -> Rubric:
        """Only rows whose fields have these values (or one of a list of them)."""
        return self._with({"when": fields})

    def unless(self, **fields: Any) -> Rubric:
        return self._with({"unless": fields})

    def with_weight(self, weight: float) -> Rubric:
        """Every term's weight is this."""
        return self._with({"weight": weight})

    def penalty(self) -> Rubric:
        """A full score earns 0, none costs the weight."""
        return self._with({"penalty": True})

    def threshold(self, least: float) -> Rubric:
        """Scores from `least` on are 1, lower ones 0."""
        return self._with({"threshold": least})

    def relative(self, how: str) -> Rubric:
        """What a score is worth within its group: "rank", "shortest" or "fastest"."""
        return self._with({"relative": how})

    def on_fault(self, what: str) -> Rubric:
        """What a fault of this term does: "null" (the reward is None), "skip" or "fail" (it scores 0)."""
        return self._with({"on_fault": what})

    # --- The whole.

    def clamp(self, low: float | None = None, high: float | None = None) -> Rubric:
        """Keeps the reward within these."""
        out = Rubric(self)
        out._keys = {**self._some_keys(), **{k: v for k, v in (("min", low), ("max", high)) if v is not None}}
        out._spec = out._make_spec()
        return out

    def with_rule(self, rule: str, *, gate_reward: float | None = None) -> Rubric:
        """"sum", "product", "gate" or "min"."""
        out = Rubric(self)
        out._keys = {**self._some_keys(), "rule": rule}
        if gate_reward is not None:
            out._keys["gate_reward"] = gate_reward
        out._spec = out._make_spec()
        return out

    def only(self, label: str) -> Rubric:
        """The term of that label alone, with its weight: for one reward function a term."""
        terms = [term for term in self._terms() if term["label"] == label]
        if not terms:
            raise AssayError(f"no term is called '{label}'", "there are " + ", ".join(self.labels))
        out = Rubric(self)
        out._keys = {"name": label, "term": [{**term, "gate": False} for term in terms]}
        out._spec = out._make_spec()
        return out

    def __add__(self, other: Rubric) -> Rubric:
        if not isinstance(other, Rubric):
            return NotImplemented
        return self._joined(other, "sum")

    def __radd__(self, other: int) -> Rubric:
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def __mul__(self, factor: float) -> Rubric:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            return NotImplemented
        out = Rubric(self)
        terms = [{**term, "weight": factor * float(term.get("weight", 1.0))} for term in self._terms()]
        out._keys = {**self._some_keys(), "term": terms}
        out._spec = out._make_spec()
        return out

    __rmul__ = __mul__

    def __repr__(self) -> str:
        if self._keys is None:
            return "Rubric(by each row's task)"
        terms = [f"{term.get('weight', 1.0):g} * {term['label']}{' (gate)' if term.get('gate') else ''}" for term in self._terms()]
        return f"Rubric({self._keys.get('rule', 'sum')}: {', '.join(terms)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rubric) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self.name, *self.labels))

    def __getstate__(self) -> dict[str, Any]:
        return {"keys": self._keys, "functions": self._functions, "folder": self._folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._keys = state["keys"]
        self._functions = state["functions"]
        self._folder = state["folder"]
        self._compiled = None
        self._spec = self._make_spec()

    def compiled(self, holder: _engine.EngineHolder | None = None) -> _core.CompiledRubric:
        """Ready to score in this process. AssayError if a verifier cannot be made here."""
        engine = (holder or _engine.default()).get()
        kept = self._compiled
        if kept is None or kept[0] is not engine:
            terms = (self._keys or {}).get("term", ())
            seconds = {str(term["label"]): _timeout_of(term) for term in terms if str(term["verifier"]).startswith(_OWN)}
            functions = {
                _OWN + label: adapt(function, seconds.get(label, _TIMEOUT_S), lambda: engine.cancelled)
                for label, function in self._functions.items()
            }
            kept = (engine, _core.compile(engine, self._spec, functions))
            self._compiled = kept
        return kept[1]

    # --- Inside.

    def _from_text(self, source: str | os.PathLike[str], name: str) -> dict[str, Any]:
        text = os.fspath(source)
        if isinstance(source, str) and ("\n" in text or "=" in text):
            return _spec_keys(_core.rubric_from_toml(text, name or "rubric"))
        if not isinstance(source, str) or text.endswith(".toml") or os.sep in text:
            read = Rubric.from_file(source)
            self._folder = read._folder
            return dict(read._some_keys())
        terms = [{"verifier": verifier.strip()} for verifier in text.split(",")]
        return self._read({"name": text, "term": terms}, name)

    def _read(self, keys: dict[str, Any], name: str) -> dict[str, Any]:
        if "terms" in keys and "term" not in keys:
            keys["term"] = keys.pop("terms")
        terms = []
        for term in keys.get("term") or ():
            verifier = term.get("verifier") if isinstance(term, Mapping) else term
            if callable(verifier):
                given = dict(term) if isinstance(term, Mapping) else {}
                _timeout_of(given)
                terms.append({**given, **self._function_term(verifier, str(given.get("label", "")))})
            else:
                terms.append(dict(term) if isinstance(term, Mapping) else {"verifier": term})
        keys["term"] = terms
        if name:
            keys["name"] = name
        return _spec_keys(_core.rubric_from_dict(keys, str(keys.get("name") or "rubric")))

    def _function_term(self, function: Callable[..., Any], label: str = "") -> dict[str, Any]:
        label = label or name_of(function)
        while label in self._functions:
            label += "_2"
        self._functions[label] = function
        return {"verifier": _OWN + label, "label": label}

    def _terms(self) -> list[dict[str, Any]]:
        return list(self._some_keys()["term"])

    def _some_keys(self) -> dict[str, Any]:
        if self._keys is None:
            raise AssayError("the rows' tasks decide in this rubric, so that it has no terms", "name verifiers: assay.math()")
        return self._keys

    def _with(self, change: dict[str, Any], rule: str = "") -> Rubric:
        out = Rubric(self)
        out._keys = {**self._some_keys(), "term": [{**term, **change} for term in self._terms()]}
        if rule:
            out._keys["rule"] = rule
        out._spec = out._make_spec()
        return out

    def _joined(self, other: Rubric, rule: str) -> Rubric:
        mine, theirs = self._some_keys(), other._some_keys()
        rules = {str(keys.get("rule", "sum")) for keys in (mine, theirs)} - {rule}
        if rules - {"gate"}:
            raise AssayError("rubrics of the rules product and min cannot be added", "add their terms, then say with_rule")
        out = Rubric(self)
        out._folder = self._folder or other._folder
        terms = self._terms()
        taken = {str(term["label"]) for term in terms}
        for term in other._terms():
            label = str(term["label"])
            fresh = label
            count = 2
            while fresh in taken:
                fresh = f"{label}_{count}"
                count += 1
            taken.add(fresh)
            if label in other._functions:
                out._functions[fresh] = other._functions[label]
                term = {**term, "verifier": _OWN + fresh}
            terms.append({**term, "label": fresh})
        clamp = {k: v for keys in (mine, theirs) for k, v in keys.items() if k in ("gate_reward", "min", "max")}
        name = " + ".join(str(term["label"]) for term in terms)
        out._keys = {**clamp, "name": name, "rule": "gate" if "gate" in rules else rule, "term": terms}
        out._spec = out._make_spec()
        return out

    def _make_spec(self) -> _core.RubricSpec:
        if self._keys is None:
            return _core.rubric_by_task()
        spec = _core.rubric_from_dict(self._keys, self.name or "rubric")
        spec.folder = self._folder
        return spec


def _spec_keys(spec: _core.RubricSpec) -> dict[str, Any]:
    keys = spec.to_dict()
    keys["term"] = keys.pop("terms")
    return keys


def as_rubric(source: RubricLike) -> Rubric:
    return source if isinstance(source, Rubric) else Rubric(source)


def verifier(name: str, **options: Any) -> Rubric:
    """A rubric of one verifier by name; `assay.verifiers()` lists names and options."""
    return Rubric({"name": name, "term": [{"verifier": name, "options": options or None}]})


def term(function: Callable[..., Any], *, label: str = "", timeout_s: float = _TIMEOUT_S) -> Rubric:
    """A rubric of one function of your own: python/assay/_callables.py lists the signatures that are understood.

    timeout_s: what one sample may take, in seconds; beyond it the sample has no reward, with the reason `reward_timeout`. Of a function over
        lists a call ends then, whatever it holds, and its samples are asked about again in smaller calls, down to one at a time. 0: as long
        as it likes, on a thread of the scorer's own.
    """
    own = {"verifier": function, "label": label, "options": {"timeout_s": timeout_s}}
    out = Rubric()
    out._keys = out._read({"name": label or name_of(function), "term": [own]}, "")
    out._spec = out._make_spec()
    return out


def _timeout_of(term: Mapping[str, Any]) -> float:
    """Of a term whose verifier is a function."""
    options = dict(term.get("options") or {})
    seconds = options.pop("timeout_s", _TIMEOUT_S)
    if options:
        raise AssayError(f"unknown option '{min(options)}' of a function", "there is timeout_s")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
        raise AssayError(f"'timeout_s' is {seconds!r}", "give seconds; 0: as long as it likes")
    return float(seconds)
