"""What tests for pytest use of it, where the box's interpreter has none: raises, approx, marks, fixtures, parametrize, and a runner for
functions and classes. Runs in the box, beside the program (py_beside.py, which follows this text in one module)."""
import collections
import inspect
import io
import itertools
import os
import sys
import types

class Skipped(Exception):
    pass


class Failed(AssertionError):
    pass


class Raises:
    def __init__(self, kinds, match=None):
        self.kinds, self.match, self.value = kinds, match, None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            raise Failed(f"DID NOT RAISE {self.kinds}")
        if not issubclass(kind, self.kinds):
            return False
        self.value, self.type = value, kind
        import re
        if self.match is not None and not re.search(self.match, str(value)):
            raise Failed(f"pattern {self.match!r} does not match {str(value)!r}")
        return True


def raises(kinds, *args, match=None, **kwargs):
    if not args:
        return Raises(kinds, match)
    with Raises(kinds, match) as caught:
        args[0](*args[1:], **kwargs)
    return caught


class Approx:
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, want, rel=None, abs=None, nan_ok=False):
        self.want, self.rel, self.abs, self.nan_ok = want, rel, abs, nan_ok

    def __eq__(self, got):
        want = self.want
        same = lambda g, w: Approx(w, self.rel, self.abs, self.nan_ok) == g
        if isinstance(want, dict):
            return got.keys() == want.keys() and all(same(got[k], want[k]) for k in want)
        if hasattr(want, "__len__") and not isinstance(want, (str, bytes)):
            return len(got) == len(want) and all(map(same, got, want))
        if want == got:
            return True
        if not isinstance(want, (int, float, complex)) or isinstance(want, bool):
            return False
        if want != want:
            return self.nan_ok and got != got
        relative = (1e-6 if self.rel is None and self.abs is None else self.rel or 0) * abs(want)
        return abs(got - want) <= max(relative, 1e-12 if self.abs is None else self.abs) < float("inf")

    def __repr__(self):
        return f"approx({self.want!r})"


class Mark:
    def __init__(self, name, args=(), kwargs=None):
        self.name, self.args, self.kwargs = name, args, kwargs or {}

    def __call__(self, *args, **kwargs):
        if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)):
            target = args[0]
            target.pytestmark = list(getattr(target, "pytestmark", [])) + [self]
            return target
        return Mark(self.name, self.args + args, {**self.kwargs, **kwargs})


class Marks:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Mark(name)


def fixture(function=None, **options):
    if function is None:
        return lambda function: fixture(function, **options)
    function._assay_fixture = options
    return function


class Parameters(list):
    """pytest.param"""


def skip(reason="", **_):
    raise Skipped(reason)


def fail(reason="", **_):
    raise Failed(reason)


def small_pytest():
    module = types.ModuleType("pytest")
    param = lambda *values, **_: Parameters(values)
    vars(module).update(raises=raises, approx=Approx, mark=Marks(), fixture=fixture, skip=skip, fail=fail, param=param,
                        importorskip=lambda name, **_: __import__(name), warns=lambda *a, **k: __import__("contextlib").nullcontext())
    module.skip.Exception, module.fail.Exception = Skipped, Failed
    return module


class MonkeyPatch:
    def __init__(self):
        self.undo_list = []

    def setattr(self, target, name, *value, raising=True):
        if isinstance(target, str):
            path, _, attribute = target.rpartition(".")
            return self.setattr(__import__(path, fromlist=["x"]), attribute, name, raising=raising)
        missing = object()
        old = getattr(target, name, missing)
        if old is missing and raising:
            raise AttributeError(name)
        self.undo_list.append(lambda: delattr(target, name) if old is missing else setattr(target, name, old))
        setattr(target, name, value[0])

    def setitem(self, mapping, key, value):
        had, old = key in mapping, mapping.get(key)
        self.undo_list.append(lambda: mapping.__setitem__(key, old) if had else mapping.pop(key, None))
        mapping[key] = value

    def setenv(self, name, value):
        self.setitem(os.environ, name, str(value))

    def delenv(self, name, raising=True):
        if name in os.environ:
            self.setitem(os.environ, name, "")
            del os.environ[name]

    def undo(self):
        while self.undo_list:
            self.undo_list.pop()()


class Capture:
    def __init__(self):
        self.saved = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = io.StringIO(), io.StringIO()

    def readouterr(self):
        texts = sys.stdout.getvalue(), sys.stderr.getvalue()
        sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
        return collections.namedtuple("CaptureResult", "out err")(*texts)

    def close(self):
        sys.stdout, sys.stderr = self.saved


class Fixtures:
    """Makes what a test asks for by its parameters' names; ends it afterwards, last made first."""

    def __init__(self, known):
        self.known, self.kept = known, {}

    def builtin(self, name, ends):
        if name == "monkeypatch":
            patch = MonkeyPatch()
            ends.append(patch.undo)
            return patch
        if name == "capsys":
            capture = Capture()
            ends.append(capture.close)
            return capture
        if name in ("tmp_path", "tmpdir"):
            import pathlib
            import tempfile
            return pathlib.Path(tempfile.mkdtemp())
        raise LookupError(f"fixture '{name}' not found")

    def make(self, name, made, ends, instance, chosen):
        if name in made:
            return made[name]
        function = self.known.get(name)
        if function is None:
            made[name] = self.builtin(name, ends)
            return made[name]
        wide = function._assay_fixture.get("scope", "function") != "function"
        if wide and (name, chosen.get(name, 0)) in self.kept:
            made[name] = self.kept[name, chosen.get(name, 0)]
            return made[name]
        value = self.call(function, made, ends, instance, chosen, name)
        if inspect.isgenerator(value):
            generator = value
            value = next(generator)
            if not wide:
                ends.append(lambda: next(generator, None))
        if wide:
            self.kept[name, chosen.get(name, 0)] = value
        made[name] = value
        return value

    def call(self, function, made, ends, instance, chosen, name):
        arguments = {}
        names = list(inspect.signature(function).parameters)
        if names and names[0] == "self":
            arguments["self"] = instance
            names = names[1:]
        for parameter in names:
            if parameter == "request":
                parameters = list(function._assay_fixture.get("params") or [None])
                arguments[parameter] = types.SimpleNamespace(param=parameters[chosen.get(name, 0)], instance=instance)
            else:
                arguments[parameter] = self.make(parameter, made, ends, instance, chosen)
        return function(**arguments)


class SmallRunner:
    def __init__(self, names, results):
        self.results = results
        # Whatever else has every attribute: unittest.mock's `call` and mocks.
        found = {n: v for n, v in names.items() if isinstance(v, types.FunctionType) and hasattr(v, "_assay_fixture")}
        self.fixtures = Fixtures({getattr(v, "_assay_fixture").get("name") or n: v for n, v in found.items()})
        self.names = names

    def run(self):
        for name, value in self.names.items():
            if isinstance(value, types.FunctionType) and name.startswith("test"):
                if not self.run_test(name, value, None, [], self.names):
                    return
            elif isinstance(value, type) and name.startswith("Test"):
                if "unittest" in sys.modules and issubclass(value, sys.modules["unittest"].TestCase):
                    continue
                if not self.run_class(name, value):
                    return

    def run_class(self, name, kind):
        for member, value in inspect.getmembers(kind, inspect.isfunction):
            if hasattr(value, "_assay_fixture"):
                self.fixtures.known[member] = value
        getattr(kind, "setup_class", lambda: None)()
        for member, value in list(vars(kind).items()):
            if member.startswith("test") and isinstance(value, types.FunctionType):
                if not self.run_test(f"{name}::{member}", value, kind, getattr(kind, "pytestmark", []), {}):
                    return False
        getattr(kind, "teardown_class", lambda: None)()
        return True

    @staticmethod
    def parameter_sets(marks):
        """One dict of arguments for each combination of parametrize marks."""
        axes = []
        for mark in marks:
            if mark.name != "parametrize":
                continue
            names, values = mark.args[:2]
            names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
            rows = []
            for value in values:
                row = list(value) if isinstance(value, Parameters) or len(names) > 1 else [value]
                rows.append(dict(zip(names, row)))
            axes.append(rows)
        return [dict(itertools.chain.from_iterable(row.items() for row in rows)) for rows in itertools.product(*axes)]

    def fixture_choices(self, function):
        """Which of a fixture's own params: one dict for each combination."""
        wanted, todo = {}, [p for p in inspect.signature(function).parameters]
        while todo:
            name = todo.pop()
            maker = self.fixtures.known.get(name)
            if maker is None or name in wanted:
                continue
            wanted[name] = len(list(maker._assay_fixture.get("params") or [None]))
            todo += list(inspect.signature(maker).parameters)
        names = list(wanted)
        return [dict(zip(names, choice)) for choice in itertools.product(*(range(wanted[n]) for n in names))]

    def run_test(self, name, function, kind, outer, hooks):
        marks = list(outer) + list(getattr(function, "pytestmark", []))
        for mark in marks:
            if mark.name == "skip" or mark.name == "skipif" and mark.args and mark.args[0]:
                return True
        expected = any(mark.name == "xfail" for mark in marks)
        for given in self.parameter_sets(marks):
            for chosen in self.fixture_choices(function):
                label = name + (f"[{', '.join(f'{k}={v!r}' for k, v in given.items())}]" if given else "")
                try:
                    self.once(function, kind, dict(given), chosen, hooks)
                    detail = None
                except Skipped:
                    continue
                except BaseException as error:
                    if expected:
                        continue
                    detail = said(error)
                if not self.results.add(label, detail):
                    return False
        return True

    def once(self, function, kind, made, chosen, hooks):
        instance = kind() if kind else None
        ends = []
        before = getattr(instance, "setup_method", None) or hooks.get("setup_function")
        after = getattr(instance, "teardown_method", None) or hooks.get("teardown_function")
        try:
            if before:
                before(*([function] if inspect.signature(before).parameters else []))
            for name, maker in self.fixtures.known.items():
                if maker._assay_fixture.get("autouse"):
                    self.fixtures.make(name, made, ends, instance, chosen)
            names = list(inspect.signature(function).parameters)
            arguments = [instance] if kind else []
            arguments += [self.fixtures.make(n, made, ends, instance, chosen) for n in names[len(arguments):]]
            function(*arguments)
        finally:
            for end in reversed(ends):
                end()
            if after:
                after(*([function] if inspect.signature(after).parameters else []))
