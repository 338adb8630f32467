"""What the tester decides about tests that run beside the program (py_beside.py): which rows may, by their trusted text alone; what
is run there; and whether the report that comes back can be believed as far as it is plain data.

A pass from there is marked: `decided_by` is "program". The report is checked all the same, for most cheats are lazy: every assert
that must have run did, values that are plain data are compared again here, and a literal of the tests is read from the trusted
text and not from the report."""
import ast
import builtins
import collections
import copy
import datetime
import decimal
import fractions
import marshal
import operator
import re
import types

# Attributes that plain data has: reading one says nothing about what kind of object a test is about.
PLAIN_ATTRIBUTES = set().union(*map(dir, (
    int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice, types.GeneratorType,
    collections.Counter, collections.deque, collections.OrderedDict, fractions.Fraction, decimal.Decimal, datetime.datetime,
    datetime.timedelta, BaseException, re.Pattern, re.Match))) | {"exception", "value", "__name__", "__doc__", "shape", "tolist",
                                                                   "dtype"}
# Modules whose import says nothing about it either.
PLAIN_MODULES = {"unittest", "math", "cmath", "random", "re", "json", "itertools", "collections", "functools", "string", "typing",
                 "decimal", "fractions", "numpy", "datetime", "operator", "heapq", "bisect", "statistics", "solution", "time",
                 "sys", "numbers", "pandas", "hashlib", "textwrap", "__future__", "inspect"}
CHANGERS = {"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "setdefault", "popitem", "add",
            "discard", "appendleft", "popleft"}
# Built-in functions that ask an object for something of its class's own.
ASKERS = {"str", "repr", "hash", "bool", "format", "isinstance", "issubclass", "type", "iter", "next", "float", "complex", "bytes",
          "callable", "hasattr", "getattr", "setattr", "delattr", "id", "vars", "dir", "reversed", "divmod", "pow", "deepcopy"}
METHODS = {"assertEqual", "assertEquals", "assertNotEqual", "assertTrue", "assertFalse", "assertIs", "assertIsNot", "assertIsNone",
           "assertIsNotNone", "assertIn", "assertNotIn", "assertIsInstance", "assertNotIsInstance", "assertAlmostEqual",
           "assertNotAlmostEqual", "assertGreater", "assertGreaterEqual", "assertLess", "assertLessEqual", "assertListEqual",
           "assertDictEqual", "assertSetEqual", "assertTupleEqual", "assertSequenceEqual", "assertCountEqual",
           "assertMultiLineEqual", "assertRegex", "assertNotRegex"}
COMPARE = {"Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge,
           "In": lambda a, b: a in b, "NotIn": lambda a, b: a not in b}
EXPECTED_TO_RAISE = {"assertRaises", "assertRaisesRegex", "raises", "suppress", "assertWarns", "assertLogs"}


def is_class_name(name):
    """As classes are called; `Solution` is a mere holder of functions."""
    return name[:1].isupper() and name != "Solution" and (len(name) == 1 or not name.isupper() or "_" not in name)


def root_of(node):
    """The name at the start of a.b.c, or ""."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


class Routing:
    """Whether the trusted text is about the program's own classes, or hands over what does not cross by value."""

    def __init__(self, trusted, texts, wanted, entry):
        self.trees = [ast.parse(text) for text in texts]  # the setup first
        self.setup_classes = {node for node in ast.walk(self.trees[0]) if isinstance(node, ast.ClassDef)}
        self.in_tests = {n.id for tree in self.trees[1:] for n in ast.walk(tree) if isinstance(n, ast.Name)}
        self.names = set(wanted) | {n for n in self.candidate_names() if entry}
        self.classes = {n for n in self.names if is_class_name(n)}
        if is_class_name(entry):
            self.classes |= self.candidate_names()
        self.modules, self.whole_modules, self.fields = set(), set(), set()
        for tree in self.trees + [ast.parse(text) for text in trusted]:
            self.read(tree)

    def candidate_names(self):
        return {a.arg for tree in self.trees for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"
                for a in node.args.args}

    def read(self, tree):
        """Names of modules, and what instances of the tests' and the prompt's own classes hold."""
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {(alias.asname or alias.name).split(".")[0] for alias in node.names}
                self.modules |= names
                self.whole_modules |= names if isinstance(node, ast.Import) else set()
            elif isinstance(node, ast.ClassDef):
                for part in ast.walk(node):
                    if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                        self.fields.add(part.attr)
                    elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        self.fields.add(part.name)

    def of_program(self, node):
        return any(isinstance(n, ast.Name) and n.id in self.names for n in ast.walk(node))

    def makes_instance(self, node):
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.classes

    def holds_instance(self, node):
        return any(self.makes_instance(n) for n in ast.walk(node))

    def wanted(self):
        return any(self.is_about_objects(node) for tree in self.trees for node in ast.walk(tree))

    def is_about_objects(self, node):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return any(name.split(".")[0] not in PLAIN_MODULES or name == "unittest.mock" for name in imported(node))
        if isinstance(node, ast.ClassDef):
            if node in self.setup_classes and node.name not in self.in_tests:
                return False
            return not any("TestCase" in ast.unparse(base) for base in node.bases) and not node.name.startswith("Test") \
                or any(self.of_program(base) for base in node.bases)
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return True
        if isinstance(node, ast.With):
            return any(self.of_program(item.context_expr) for item in node.items
                       if not isinstance(item.context_expr, ast.Call)
                       or getattr(item.context_expr.func, "attr", getattr(item.context_expr.func, "id", ""))
                       not in EXPECTED_TO_RAISE | {"subTest"})
        if isinstance(node, ast.Attribute):
            return node.attr == "__class__" and isinstance(node.ctx, ast.Store) or self.is_own_attribute(node)
        return self.uses_class(node) or self.changes(node)

    def is_own_attribute(self, node):
        """`x.push`, where no plain data has a `push`."""
        if root_of(node) in self.modules or isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "solution"):
            return False
        if isinstance(node.value, ast.Name) and node.value.id in self.classes:
            return True
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "Solution":
            return False
        return node.attr not in PLAIN_ATTRIBUTES and node.attr not in self.fields and root_of(node) not in dir(builtins) \
            and root_of(node) not in ("math", "np", "numpy", "pd", "collections", "itertools", "unittest", "Solution")

    def uses_class(self, node):
        if isinstance(node, ast.ExceptHandler):
            return node.type is not None and self.of_program(node.type)
        if isinstance(node, ast.Compare):
            sides = [node.left] + node.comparators
            if sum(map(self.holds_instance, sides)) > 1 or self.compares_instance(sides):
                return True
            if any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops) and sum(map(self.of_program, sides)) > 1:
                return True
            return any(isinstance(op, (ast.In, ast.NotIn)) and self.makes_instance(side)
                       for op, side in zip(node.ops, node.comparators))
        if isinstance(node, ast.BinOp):
            return self.makes_instance(node.left) or self.makes_instance(node.right)
        if isinstance(node, ast.UnaryOp):
            return self.makes_instance(node.operand)
        if isinstance(node, (ast.Assign, ast.NamedExpr, ast.AnnAssign)):
            return node.value is not None and self.holds_instance(node.value)
        if isinstance(node, (ast.Set, ast.List, ast.Tuple, ast.Dict, ast.JoinedStr)):
            return any(self.makes_instance(part) for part in ast.iter_child_nodes(node)) or isinstance(node, ast.JoinedStr) \
                and self.holds_instance(node)
        if isinstance(node, ast.Call):
            return self.asks_class(node)
        return False

    def compares_instance(self, sides):
        """`make(1) == A(1)`: an instance beside something else of the program's."""
        return any(map(self.makes_instance, sides)) and sum(map(self.of_program, sides)) > 1

    def asks_class(self, node):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        parts = node.args + [k.value for k in node.keywords]
        if called in ASKERS and any(self.holds_instance(part) for part in parts):
            return True
        # What its function makes of a value orders or groups the values: `sorted(xs, key=f)`.
        if any(k.arg == "key" and isinstance(k.value, ast.Name) and k.value.id in self.names for k in node.keywords):
            return True
        if self.of_program(node.func) and any(isinstance(part, ast.Name) and part.id in self.whole_modules for part in parts):
            return True
        if called.startswith("assert") and self.compares_instance(parts):
            return True
        # The class itself, handed to isinstance, assertRaises and the like.
        return any(isinstance(part, ast.Name) and part.id in self.classes for part in parts) or \
            called in ("isinstance", "issubclass", "assertIsInstance") and any(self.of_program(part) for part in parts[1:])

    def changes(self, node):
        """Tests that write into a container which may be the program's."""
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
            targets = node.targets if not isinstance(node, ast.AugAssign) else [node.target]
            return any(isinstance(part, (ast.Subscript, ast.Attribute)) and self.of_program(part) for part in targets)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            return node.value.func.attr in CHANGERS and self.of_program(node.value.func.value)
        return False


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if node.names[0].name != "mock" else ["unittest.mock"]


# -------------------------------------------------------------------------------------------------------- what is run there

class Observed(ast.NodeTransformer):
    """Every assert, and every self.assertX(..), reports under its number."""

    def __init__(self):
        self.nodes = []

    def number(self, node):
        node.assay_number = len(self.nodes)
        self.nodes.append(node)
        return ast.Constant(node.assay_number)

    def visit_Assert(self, node):
        kept = copy.deepcopy(node)
        number = self.number(kept)
        self.generic_visit(node)
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            arguments = [number, ast.Constant(type(test.ops[0]).__name__), test.left, test.comparators[0]]
            node.test = call("__assay_compare__", arguments, test)
        else:
            node.test = call("__assay_truth__", [number, test], test)
        node.assay_number = kept.assay_number
        return node

    def visit_Call(self, node):
        named = node.func
        if not (isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name) and named.value.id == "self"
                and named.attr in METHODS):
            return self.generic_visit(node)
        kept = copy.deepcopy(node)
        number = self.number(kept)
        self.generic_visit(node)
        made = call("__assay_method__", [number, named.value, ast.Constant(named.attr)] + node.args, node)
        made.keywords = node.keywords
        made.assay_number = kept.assay_number
        return made

    def visit_ImportFrom(self, node):
        # The program's names are there already, and not in the place of the tests' own.
        if node.module == "solution" and any(alias.name == "*" for alias in node.names):
            return ast.copy_location(ast.Pass(), node)
        return node


def call(name, arguments, place):
    return ast.fix_missing_locations(ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), place))


def certain(body):
    """Numbers of the asserts that run whenever this body runs to its end."""
    for node in body:
        if isinstance(node, ast.Assert):
            yield node.assay_number
        elif isinstance(node, ast.Expr) and hasattr(node.value, "assay_number"):
            yield node.value.assay_number
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            calls = [item.context_expr.func for item in node.items if isinstance(item.context_expr, ast.Call)]
            if not any(getattr(c, "attr", getattr(c, "id", "")) in EXPECTED_TO_RAISE for c in calls):
                yield from certain(node.body)
        elif isinstance(node, (ast.Return, ast.Raise)) or "skip" in ast.unparse(node):
            return


def guarded(node, inside=False):
    """Numbers of the asserts whose failure the tests themselves may catch."""
    inside = inside or isinstance(node, ast.Try) or isinstance(node, (ast.With, ast.AsyncWith)) and any(
        isinstance(item.context_expr, ast.Call) and getattr(item.context_expr.func, "attr", getattr(
            item.context_expr.func, "id", "")) in EXPECTED_TO_RAISE for item in node.items) \
        or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and bool(node.decorator_list)
    if inside and hasattr(node, "assay_number"):
        yield node.assay_number
    for child in ast.iter_child_nodes(node):
        yield from guarded(child, inside)


def is_test(node):
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")


def certain_in_tests(tree):
    """The same for what a runner runs: functions named test.., methods of classes for tests; nothing that is decorated."""
    for node in tree.body:
        if is_test(node) and not node.decorator_list and not node.args.args:
            yield from certain(node.body)
        elif isinstance(node, ast.ClassDef) and not node.decorator_list and (
                node.name.startswith("Test") and not node.bases or any("TestCase" in ast.unparse(b) for b in node.bases)):
            for method in node.body:
                if is_test(method) and not method.decorator_list:
                    yield from certain(method.body)


def in_class_bodies(node, inside=False):
    """Names that are read where a class is made: such a reading looks into the globals themselves."""
    if isinstance(node, ast.Name) and inside:
        yield node.id
    for field, value in ast.iter_fields(node):
        into = inside or isinstance(node, ast.ClassDef)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and field == "body":
            into = False
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from in_class_bodies(child, into)


class Plan:
    """One problem's tests, as they run beside any program."""

    def __init__(self, session):
        self.session = session
        observed = Observed()
        self.steps, self.certain, kept = [], [], []
        for number, text in enumerate(session.texts):
            tree = observed.visit(ast.parse(text))
            ast.fix_missing_locations(tree)
            kept.append(tree)
            self.certain += list(certain(tree.body)) + list(certain_in_tests(tree))
            if session.kind == "check":
                self.certain += [n for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"
                                 for n in certain(node.body)]
            trees = [ast.Module([node], []) for node in tree.body] if session.partial else [tree]
            self.steps += [marshal.dumps(compile(part, f"<tests {number}>", "exec", dont_inherit=True)) for part in trees]
        self.nodes = observed.nodes
        in_tests = {n.assay_number for tree in kept for test in ast.walk(tree) if is_test(test) for n in ast.walk(test)
                    if hasattr(n, "assay_number")}
        self.guarded = {n for tree in kept for n in guarded(tree)}
        self.own = set(range(len(self.nodes))) - in_tests  # asserts that no runner counts
        self.imports = sorted({name for text in session.texts + [session.setup] for node in ast.walk(ast.parse(text))
                               if isinstance(node, (ast.Import, ast.ImportFrom)) for name in imported(node)
                               if name and name != "solution"})
        self.in_classes = {name for text in session.texts + [session.setup] for name in in_class_bodies(ast.parse(text))}
        self.asks_name = any("__name__" in line and "__main__" not in line for text in session.texts for line in text.splitlines())

    def before(self):
        return {"imports": tuple(self.imports), "hidden": tuple(self.session.hidden())}

    def spec(self):
        session = self.session
        return {"wanted": tuple(session.wanted), "entry": session.entry, "method": session.method,
                "members": tuple(session.members), "in_classes": tuple(sorted(self.in_classes & set(session.wanted))), "partial": session.partial, "steps": tuple(self.steps),
                "check": session.kind == "check", "name": "solution" if self.asks_name else "tests",
                "modules": session.modules_to_import(), "trusted": tuple(marshal.dumps(code) for code in session.trusted_code),
                "setup": tuple(session.setup_statements(for_program=False)), "hidden": tuple(session.hidden())}

    # ------------------------------------------------------------------------------------------------------ the report

    def problem(self, report):
        """A sentence if the report of a pass cannot be true."""
        seen = report["seen"]
        for number in self.certain:
            if not seen.get(number, (0, 0))[0]:
                return f"an assert did not run: {ast.unparse(self.nodes[number])[:300]}"
        for number, (_, failed) in seen.items():
            # A test that failed and was not told: somebody has swallowed it, and it was not the tests.
            if failed and 0 <= number < len(self.nodes) and number not in self.guarded:
                return f"a failed assert was swallowed: {ast.unparse(self.nodes[number])[:300]}"
        for number, kind, held, left, right in report["values"]:
            if not held or not 0 <= number < len(self.nodes):
                continue
            left, right = self.with_literals(number, left, right)
            if not self.holds(kind, left, right):
                return f"a test did not hold: {ast.unparse(self.nodes[number])[:300]}"
        return ""

    def with_literals(self, number, left, right):
        node = self.nodes[number]
        sides = [node.test.left, node.test.comparators[0]] if isinstance(node, ast.Assert) else node.args[:2]
        values = [left, right]
        for place, side in enumerate(sides):
            try:
                values[place] = ast.literal_eval(side)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                pass
        return values

    @staticmethod
    def holds(kind, left, right):
        try:
            return bool(COMPARE[kind](left, right))
        except Exception:
            return False


def checked_report(report):
    """The report in the form that is agreed, or None."""
    def is_error(value):
        return value is None or type(value) is dict and all(type(k) is str for k in value)

    if type(report) is not dict or set(report) != {"tests", "seen", "values", "stopped"}:
        return None
    tests, seen, values, stopped = report["tests"], report["seen"], report["values"], report["stopped"]
    good = type(tests) is list and type(seen) is dict and type(values) is list and type(stopped) is list \
        and all(type(t) is tuple and len(t) == 3 and type(t[0]) is str and type(t[1]) is bool and is_error(t[2]) for t in tests) \
        and all(type(k) is int and type(v) is list and len(v) == 2 and all(type(n) is int and n >= 0 for n in v)
                for k, v in seen.items()) \
        and all(type(v) is tuple and len(v) == 5 and type(v[0]) is int and type(v[1]) is str and type(v[2]) is bool for v in values) \
        and all(is_error(s) and s for s in stopped)
    return report if good else None
