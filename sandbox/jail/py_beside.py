# ------------------------------------------------------------------------------------------- tests beside the program
# Runs the row's tests in the box, in the program's own process, where what they ask cannot be carried between two: operators and
# text of the program's classes, objects of the tests' own, patches, files. Nothing that it says is proof (the program shares the
# process): the tester checks the report as far as it is plain data, and the verdict is marked (py_beside_plan.py).
#
# start() runs before the program is loaded, run() after it: what the program finds when it is loaded holds nothing of the tests.
# Codes are the tester's, marshalled. Every assert reports under its number what it compared and whether it held.
import builtins
import marshal
import operator

PROGRAM_FILE = "<solution>"
MAX_VALUES = 300
MAX_NODES = 400
PLAIN = (type(None), bool, int, float, complex, str, bytes)
CONTAINERS = (list, tuple, dict, set, frozenset)
COMPARE = {"Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge,
           "Is": operator.is_, "IsNot": operator.is_not, "In": lambda a, b: a in b, "NotIn": lambda a, b: a not in b}


class Odd:
    """Stands for an object of a class that the tests do not name: equal to nothing."""
    __eq__ = lambda self, other: False
    __hash__ = object.__hash__


class Namespace(dict):
    """The tests' globals. What they do not define themselves is the program's, as it is now."""

    def __missing__(self, name):
        if name in wanted:
            try:
                return program[name]
            except KeyError:
                pass
        raise KeyError(name)


class Brief(__import__("reprlib").Repr):
    def __init__(self):
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 12
        self.maxstring = self.maxother = 160


def brief(value):
    try:
        return Brief().repr(value)[:400]
    except BaseException:
        return f"<{type(value).__name__}>"


# ---------------------------------------------------------------------------------------------------- what was compared

def is_plain(value, budget):
    """Whether the value is built-in data through and through. `budget`: [nodes left]."""
    budget[0] -= 1
    kind = type(value)
    if budget[0] < 0:
        return False
    if kind in PLAIN:
        return (kind is not str and kind is not bytes or len(value) < 20000) and (kind is not int or value.bit_length() < 60000)
    if kind is dict:
        return all(is_plain(k, budget) and is_plain(v, budget) for k, v in value.items())
    return kind in CONTAINERS and all(is_plain(part, budget) for part in value)


def is_known(kind):
    """Whether objects of the class may decide a comparison with plain data: of the tests' own classes, of a module's, and of those
    of the program's that the tests name."""
    if kind.__module__ in ("tests", __name__) or any(base in named for base in type.mro(kind)):
        return True
    module = sys.modules.get(kind.__module__)
    return module is not None and module is not solution and vars(module).get(kind.__qualname__.split(".")[0]) is not None \
        or kind.__module__ == "builtins"


def stripped(value, depth=0):
    """The value with every object of an unknown class read as the data of its built-in base, or as nothing that equals."""
    kind = type(value)
    if kind in PLAIN or depth > 50:
        return value
    if kind in (list, tuple, set, frozenset):
        parts = [stripped(part, depth + 1) for part in value]
        return value if all(map(operator.is_, parts, value)) else kind(parts)
    if kind is dict:
        parts = [(stripped(k, depth + 1), stripped(v, depth + 1)) for k, v in value.items()]
        return dict(parts)
    if is_known(kind):
        return value
    for base, data in ((str, str.__str__), (int, int.__int__), (float, float.__float__), (bytes, lambda v: bytes.join(b"", [v])),
                       (list, lambda v: list.copy(v)), (tuple, lambda v: tuple(tuple.__iter__(v))), (dict, lambda v: dict.copy(v)),
                       (set, set.copy), (frozenset, lambda v: frozenset(frozenset.__iter__(v)))):
        if isinstance(value, base):
            return stripped(data(value), depth + 1)
    return Odd()


def fair(left, right):
    """Both sides as they may be compared: an object of a class that the tests do not name never meets plain data."""
    left_plain, right_plain = is_plain(left, [MAX_NODES]), is_plain(right, [MAX_NODES])
    if left_plain == right_plain:
        return left, right, left_plain
    return (left, stripped(right), False) if left_plain else (stripped(left), right, False)


def copied(value):
    """Plain data as it is now."""
    if type(value) is dict:
        return {k: copied(v) for k, v in value.items()}
    return type(value)(map(copied, value)) if type(value) in CONTAINERS else value


def note(number, held, kind="", left=None, right=None, plain=False):
    counts = seen.setdefault(number, [0, 0])
    counts[0 if held else 1] += 1
    if plain and len(values) < MAX_VALUES:
        values.append((number, kind, held, copied(left), copied(right)))
    if not held:
        last_failed[:] = [number, kind, brief(left) if kind else "", brief(right) if kind else ""]
    return held


def on_compare(number, kind, left, right):
    if kind not in ("Is", "IsNot"):
        left, right, plain = fair(left, right)
    else:
        plain = False
    result = COMPARE[kind](left, right)
    note(number, bool(result), kind, left, right, plain)
    return result


def on_truth(number, value):
    note(number, bool(value))
    return value


def on_method(number, test, name, *args, **kwargs):
    """self.assertEqual(..) and its kin: the class's own method as it was before the program was loaded."""
    case = sys.modules.get("unittest.case")
    method = pristine_methods.get(name) if case is not None and isinstance(test, case.TestCase) else None
    own = any(name in vars(base) for base in type(test).__mro__ if base.__module__ == "tests")
    if method is None or own:
        method = getattr(type(test), name)
    plain, kind = False, ""
    if name in ("assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual",
                "assertSequenceEqual", "assertMultiLineEqual") and len(args) >= 2:
        left, right, plain = fair(args[0], args[1])
        args, kind = (left, right) + args[2:], "Eq"
    try:
        result = method(test, *args, **kwargs)
    except test.failureException:
        note(number, False, kind, *(args[:2] if kind else ()), plain=plain)
        raise
    note(number, True, kind, *(args[:2] if kind else ()), plain=plain)
    return result


# ------------------------------------------------------------------------------------------------------------ running

class Results:
    """Units of a test runner: (label, whether it held, what went wrong or None)."""

    def __init__(self):
        self.units = []

    def add(self, label, detail=None):
        error = None if detail is None else dict(last_error, detail=str(detail)[:600])
        self.units.append((str(label)[:200], detail is None, error))
        last_error.clear()
        return detail is None or run_all


def said(error):
    """For the small pytest: a sentence, with the rest kept for the report."""
    last_error.clear()
    last_error.update(told(error))
    return f"{type(error).__name__}: {last_error['detail']}"


def told(error):
    """What the tester is told of an exception."""
    line = 0
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    for file, number in places:
        if file == PROGRAM_FILE:
            line = number
    tests = [number for file, number in places if file.startswith("<tests") or file in ("<setup>", "<prompt>")]
    kind = type(error)
    try:
        text = str(error)[:400]
    except BaseException:
        text = ""
    return {"type": kind.__name__[:100], "detail": text, "program_line": line, "tests_line": tests[-1] if tests else 0,
            "in_program": bool(places) and places[-1][0] == PROGRAM_FILE, "is_assert": isinstance(error, AssertionError),
            "is_import": isinstance(error, ImportError), "name": getattr(error, "name", None) if isinstance(error, (ImportError,
            NameError)) and isinstance(getattr(error, "name", None), str) else "", "is_exit": isinstance(error, SystemExit),
            "is_name": isinstance(error, NameError), "is_memory": isinstance(error, MemoryError), "failed": list(last_failed)}


def run_unittest(names, results):
    """unittest's classes of the tests, by unittest's own runner."""
    case = sys.modules.get("unittest.case")
    if case is None:
        return True
    loader, suite_kind, result_kind = pristine_unittest

    class Outcome(result_kind):
        def addError(self, test, error):
            self.problem(test, error)
            super().addError(test, error)

        def addFailure(self, test, error):
            self.problem(test, error)
            super().addFailure(test, error)

        def addSubTest(self, test, subtest, error):
            if error is not None:
                self.problem(test, error)
            super().addSubTest(test, subtest, error)

        def addUnexpectedSuccess(self, test):
            self.bad[test.id()] = {"detail": "passed, which it should not", "is_assert": True, "failed": []}
            super().addUnexpectedSuccess(test)

        def problem(self, test, error):
            self.bad.setdefault(test.id(), told(error[1]))

        def stopTest(self, test):
            results.units.append((test.id().split(".", 1)[-1][:200], test.id() not in self.bad, self.bad.pop(test.id(), None)))
            super().stopTest(test)

    for value in list(names.values()):
        if not isinstance(value, type) or not issubclass(value, case.TestCase) or value.__module__ != names["__name__"]:
            continue
        outcome = Outcome()
        outcome.bad = {}
        outcome.failfast = not run_all
        last_failed.clear()
        suite_kind([value(name) for name in loader.getTestCaseNames(value)]).run(outcome)
        for test, problem in outcome.bad.items():  # of a class's own set-up
            results.units.append((str(test)[:200], False, problem))
        if not run_all and not all(held for _, held, _ in results.units):
            return False
    return True


class Plugin:
    """Of the real pytest's reports what counts."""

    def __init__(self, results):
        self.results, self.collect_error = results, None

    def pytest_collectreport(self, report):
        if report.failed and self.collect_error is None:
            self.collect_error = str(report.longrepr)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.results.add(report.nodeid.split("::", 1)[-1])
        elif report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            last_error.update(is_assert=True)
            self.results.add(report.nodeid.split("::", 1)[-1], getattr(crash, "message", str(report.longrepr)))


class Module:
    """Lets the real pytest collect the tests' own namespace."""

    @staticmethod
    def pytest_collect_file(parent, file_path):
        import pytest

        class File(pytest.Module):
            def _getobj(self):
                module = types.ModuleType("tests")
                vars(module).update(names)
                return module

        if file_path.name == "test_file.py":
            return File.from_parent(parent, path=file_path)


def run_pytest(pytest, results):
    with open("test_file.py", "w", encoding="utf-8"):
        pass
    plugin = Plugin(results)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-c", os.devnull, "--rootdir", "."]
    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        pytest.main(options + ([] if run_all else ["-x"]) + ["test_file.py"], plugins=[plugin, Module()])
    finally:
        sys.stdout = stdout
    if plugin.collect_error is not None:
        last_error.update(is_import=False)
        results.add("collection", plugin.collect_error.strip().splitlines()[-1])


def run_defined(new, results):
    """What the tests define to be run by a test runner."""
    pytest = sys.modules.get("pytest")
    if pytest is not None and hasattr(pytest, "main"):
        return run_pytest(pytest, results)
    if run_unittest(new, results):
        SmallRunner(new, results).run()


# -------------------------------------------------------------------------------------------------------------- the two calls

def start(spec):
    """Before the program is loaded: modules that the tests will want are imported, what can be spoilt is noted."""
    global pristine_builtins, pristine_methods, pristine_unittest, saved
    for name in spec["imports"]:
        try:
            __import__(name)
        except Exception:
            if name == "pytest":
                sys.modules["pytest"] = small_pytest()
    case = sys.modules.get("unittest.case")
    pristine_methods, pristine_unittest = {}, None
    if case is not None:
        import unittest
        pristine_methods = {n: v for n, v in vars(case.TestCase).items() if callable(v)}
        pristine_unittest = unittest.TestLoader(), unittest.TestSuite, unittest.TestResult
    saved = [(m, dict(vars(m))) for n, m in list(sys.modules.items())
             if n == "builtins" or n.split(".")[0] == "unittest" and isinstance(m, types.ModuleType)]
    saved += [(case.TestCase, dict(vars(case.TestCase)))] if case is not None else []
    saved_modules.update(sys.modules)
    pristine_builtins = dict(vars(builtins))
    globals()["__builtins__"] = pristine_builtins
    hidden.update(spec["hidden"])


def restore():
    """What the program has put into the test runner's place, or the built-ins', is undone."""
    for name, module in saved_modules.items():
        if sys.modules.get(name) is not module:
            sys.modules[name] = module
    for holder, contents in saved:
        now = vars(holder)
        for name, value in contents.items():
            if now.get(name) is not value:
                setattr(holder, name, value)
        for name in set(now) - set(contents) if isinstance(holder, type) else ():
            delattr(holder, name)


def attribute_of_tests(name):
    try:
        return names[name]
    except KeyError:
        raise AttributeError(name) from None


def prepare_names(spec, text):
    global program, solution, names, wanted, named, run_all
    solution = sys.modules["solution"]
    program = vars(solution)
    sys.modules["__main__"] = solution
    wanted, run_all = frozenset(spec["wanted"]), spec["partial"]
    names = Namespace(__name__=spec["name"], __builtins__=pristine_builtins, __assay_compare__=on_compare,
                      __assay_truth__=on_truth, __assay_method__=on_method, __annotations__={})
    names.update((name, program[name]) for name in spec["in_classes"] if name in program)
    if spec["name"] == "tests":
        module = types.ModuleType("tests")
        module.__getattr__ = attribute_of_tests
        sys.modules["tests"] = module
    import linecache
    linecache.cache[PROGRAM_FILE] = (len(text), None, text.splitlines(True), PROGRAM_FILE)
    named = tuple(value for name in wanted for value in [program.get(name)] if isinstance(value, type))


def keep_trusted(spec):
    """Names of the prompt and the setup are the tests' own, whatever the program has made of them: functions run from a copy of
    their own, and classes and values are those that the program found."""
    for code in spec["trusted"]:
        fresh = dict(__builtins__=pristine_builtins, __name__="tests")
        exec(marshal.loads(code), fresh)
        for name, value in fresh.items():
            if not name.startswith("__") and name != spec["entry"]:
                names[name] = program.get(name, value) if isinstance(value, type) else value
    for name, module in spec["modules"]:
        try:
            names.setdefault(name, __import__(module))
        except ImportError:
            pass
    names.update((name, getattr(__import__(name), name)) for name in spec["members"])
    for name, value in setup_values.items():
        names[name] = value
        if name not in spec["hidden"]:
            program.setdefault(name, value)
    for code in spec["setup"][setup_done[0]:]:
        exec(marshal.loads(code), names)
        for name, value in list(names.items()):
            if not name.startswith("__") and name not in spec["hidden"]:
                program.setdefault(name, value)


def run(spec, text):
    """The report: {"tests": [(label, held, error)], "seen": {number: [held, failed]}, "values": [(number, operator, held, left,
    right)], "stopped": an error outside of any test, or None}."""
    restore()
    prepare_names(spec, text)
    results, stopped = Results(), []
    solution_names = set(names)
    try:
        keep_trusted(spec)
        for code in spec["steps"]:
            try:
                last_failed.clear()
                exec(marshal.loads(code), names)
            except BaseException as error:
                stopped.append(told(error))
                if not run_all or not isinstance(error, Exception):
                    raise
        if spec["check"]:
            entry = program[spec["entry"]] if spec["entry"] in program else names[spec["entry"]]
            names["check"](getattr(entry(), spec["method"]) if spec["method"] else entry)
        run_defined({n: v for n, v in names.items() if n not in solution_names or n == "__name__"}, results)
    except BaseException as error:
        if not stopped or stopped[-1] is None or stopped[-1]["detail"] != told(error)["detail"]:
            stopped.append(told(error))
    return {"tests": results.units[:2000], "seen": seen, "values": values, "stopped": stopped[:200]}


def run_setup(codes, entry):
    """Before the program: what the row's setup defines is the program's too. Statements that need the program wait for it."""
    scope = vars(sys.modules["solution"])
    for number, code in enumerate(codes):
        try:
            exec(marshal.loads(code), scope)
        except Exception:
            break
        setup_done[0] = number + 1
    setup_values.update((k, v) for k, v in scope.items() if not k.startswith("__") and k != entry)
    for name in hidden:
        scope.pop(name, None)


seen, values, last_failed, last_error, saved_modules, setup_values, setup_done, hidden = {}, [], [], {}, {}, {}, [0], set()
wanted, named, names, program, solution, run_all = frozenset(), (), {}, {}, None, False
