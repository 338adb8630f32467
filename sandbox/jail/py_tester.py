"""The tester's side of the judge: trusted Python, embedded into assay-jail, run in the tester's process only.

A Session holds one problem's trusted text and judges its completions one after the other. The specification (JSON):
  trusted      texts that run first: the part of the prompt before the entry point, classes of records
  setup        text that runs after the candidate's names are there
  entry_point  the name under test, or ""
  records      classes whose instances cross as records
  tests        {"kind": "check", "text"}: defines check(candidate)
               {"kind": "asserts", "texts": [..]}: statements, run one after the other, then unittest classes and
               functions named test_* that they define; `solution` can be imported and is the candidate's program
               {"kind": "calls", "cases": [{"fn_name", "input": [..], "output"}]}
               {"kind": "checker", "text"}: a special judge, no candidate: check(input, output, expected), or a program for
               three files; the request holds the outputs, {"cases": [{"test", "input", "output", "got"}]}
  partial      run every test and count
  lists        with partial, for asserts: say of each text why it failed, "" where it held
  beside       tests about the program's own objects may run beside it, where they fail apart from it
  float_tol, unordered   for calls
Nothing here trusts a value: what a candidate returns is plain data or a Handle (see Handle).
"""
import _symtable
import ast
import builtins
import collections
import contextlib
import decimal
import importlib.util
import io
import json
import marshal
import opcode
import os
import random
import re
import reprlib
import sys
import tempfile
import types
import warnings

import _assay_beside_plan as beside_plan
import _assay_judge as channel

(GLOBALS, CALL, GETATTR, SETATTR, ITER, NEXT, LEN, BOOL, GETITEM, SETITEM, DELITEM, ISINSTANCE, EXIT, ISSUBCLASS, SEND, AWAIT,
 CAPTURE, SETUP, BESIDE) = range(1, 20)
CALLABLE, ITERATOR, EXCEPTION, GENERATOR, COROUTINE, CONTAINER = 1, 2, 8, 16, 32, 64
MAX_TEXT = 400
MAX_REPORTED = 200
RETIRE_AFTER = 500
MAX_DIGITS = 200_000
# Failures that may be those of two processes and not the program's: such tests are run again beside it, where they may be.
MENDED_BESIDE = {"wrong_answer", "exception", "gold_unsupported", "gold_tests", "gold_prompt", "early_exit"}


class Broken(BaseException):
    """The channel is closed or its protocol broken: nothing more can be asked, whatever a test catches."""


class CandidateExit(BaseException):
    """The program tried to end the interpreter from within a call."""


class Unsupported(BaseException):
    """The tests hand over something that cannot leave this process: the data set's doing."""


# ------------------------------------------------------------------------------------------------------------ handles

# What may be read of an object beside its public attributes: what it is called, says of itself and holds.
READABLE = {"__name__", "__qualname__", "__doc__", "__annotations__", "__dict__", "__defaults__", "__kwdefaults__", "__wrapped__"}


class Handle:
    """An object of the candidate's. It can be asked for attributes, items, length and truth, and iterated; the classes below add
    what only some objects can. It is equal to itself only; arithmetic, order, hash and text are never the candidate's."""

    __slots__ = ("_assay_id", "_assay_label", "_assay_contains", "__weakref__")

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__") and name not in READABLE:
            raise AttributeError(name)
        value = channel.ask(GETATTR, self._assay_id, name, (), None)
        if isinstance(value, Handle) and not value._assay_label:
            object.__setattr__(value, "_assay_label", f"{self._assay_label or '_'}.{name}")
        return value

    def __setattr__(self, name, value):
        channel.ask(SETATTR, self._assay_id, name, (value,), None)

    def __len__(self):
        return note_answer(self, LEN, checked(channel.ask(LEN, self._assay_id, "", (), None), int))

    def __bool__(self):
        return note_answer(self, BOOL, checked(channel.ask(BOOL, self._assay_id, "", (), None), bool))

    def __iter__(self):
        return channel.ask(ITER, self._assay_id, "", (), None)

    def __contains__(self, value):
        # What a class of the program's has to say to `in` is not asked; without its own, `in` iterates.
        if self._assay_contains:
            raise TypeError("`in` asks the program's own __contains__")
        return any(part is value or part == value for part in self)

    def __getitem__(self, key):
        return channel.ask(GETITEM, self._assay_id, "", (key,), None)

    def __setitem__(self, key, value):
        channel.ask(SETITEM, self._assay_id, "", (key, value), None)

    def __delitem__(self, key):
        channel.ask(DELITEM, self._assay_id, "", (key,), None)

    def __instancecheck__(self, instance):
        if not isinstance(instance, Handle):
            return False
        return checked(channel.ask(ISINSTANCE, self._assay_id, "", (instance,), None), bool)

    def __subclasscheck__(self, kind):
        if not isinstance(kind, Handle):
            return False
        return checked(channel.ask(ISSUBCLASS, self._assay_id, "", (kind,), None), bool)

    def __enter__(self):
        return channel.ask(GETATTR, self._assay_id, "__enter__", (), None)()

    def __exit__(self, kind, error, trace):
        own = next((c for c in getattr(kind, "__mro__", ()) if "_assay_id" in c.__dict__), kind)
        swallow = channel.ask(GETATTR, self._assay_id, "__exit__", (), None)(own, error, None)
        # What a test found stays found, whatever the candidate would make of it.
        return error is not None and isinstance(error, Exception) and not isinstance(error, AssertionError) and bool(swallow)

    def __mro_entries__(self, bases):
        raise Unsupported("the tests derive a class from one of the program's, which cannot be passed")

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        raise TypeError("a candidate's object cannot be pickled")

    def __repr__(self):
        return "<candidate object>"

    __str__ = __repr__

    def __format__(self, spec):
        return "<candidate object>"


def note_answer(handle, operation, answer):
    """The same: how long or how true an object is. One that says otherwise next time, with nothing done to it between, tells the tests
    what they want to hear."""
    if session is not None:
        session.idle_asks += 1
        now = channel.asked() - session.idle_asks
        before = session.idle_answers.get((handle._assay_id, operation))
        if before is not None and before[0] == now and before[1] != answer:
            session.fickle.add(f"{handle._assay_label or 'an object'}.{'__len__' if operation == LEN else '__bool__'}")
        session.idle_answers[handle._assay_id, operation] = now, answer
    return answer


class CallableHandle(Handle):
    __slots__ = ()

    def __call__(self, /, *args, **kwargs):
        if sys.stdout is not first_stdout:
            value = self.captured(args, kwargs)
        else:
            value = channel.ask(CALL, self._assay_id, "", args, kwargs)
        if session is not None and session.data_names:
            session.refresh()
        return value

    def captured(self, args, kwargs):
        """A test that has put something else in the place of standard output wants to see what is printed."""
        channel.ask(CAPTURE, 0, "", (True,), None)
        try:
            return channel.ask(CALL, self._assay_id, "", args, kwargs)
        finally:
            sys.stdout.write(checked(channel.ask(CAPTURE, 0, "", (False,), None), str))


class HandleIterator(Handle):
    # Its __iter__ is asked like every object's: it need not be itself.
    __slots__ = ()

    def __next__(self):
        return next_of(channel.ask(NEXT, self._assay_id, "", (), None))


class HandleGenerator(HandleIterator):
    __slots__ = ()
    # For isinstance; whatever claims to be a generator can do no more than iterate.
    __class__ = property(lambda self: types.GeneratorType)

    def __iter__(self):
        return self

    def send(self, value):
        return next_of(channel.ask(SEND, self._assay_id, "", (value,), None))


class CallableIterator(CallableHandle, HandleIterator):
    __slots__ = ()


for kind in (Handle, CallableHandle, HandleIterator, HandleGenerator, CallableIterator):
    kind.__doc__ = property(lambda self: channel.ask(GETATTR, self._assay_id, "__doc__", (), None))
first_stdout = sys.stdout


def next_of(answer):
    """(value,), or at the end () or (None, what a generator returned)."""
    if type(answer) is not tuple or len(answer) > 2:
        channel.break_off("an iterator's answer is odd")
    if len(answer) != 1:
        raise StopIteration(*answer[1:])
    return answer[0]


def checked(value, kind):
    if type(value) is not kind:
        channel.break_off("an answer of the wrong kind")
    return value


async def awaited(handle):
    return channel.ask(AWAIT, handle._assay_id, "", (), None)


def make_handle(number, flags):
    if flags & EXCEPTION:  # a class of exceptions: `except` and assertRaises want a class of this process
        return type("CandidateError", (Exception,), {"_assay_id": number, "__str__": text_of})
    if flags & GENERATOR:
        kind = HandleGenerator
    elif flags & CALLABLE:
        kind = CallableIterator if flags & ITERATOR else CallableHandle
    else:
        kind = HandleIterator if flags & ITERATOR else Handle
    handle = object.__new__(kind)
    object.__setattr__(handle, "_assay_id", number)
    object.__setattr__(handle, "_assay_label", "")
    object.__setattr__(handle, "_assay_contains", bool(flags & CONTAINER))
    return awaited(handle) if flags & COROUTINE else handle


def text_of(error):
    """str() of a candidate's own exception, as it was when it was raised."""
    text = error.__dict__.get("_assay_text")
    return text if isinstance(text, str) else Exception.__str__(error)


exception_classes = {}


def make_exception(nearest, own):
    """The class of an exception that a call raised: a built-in one, and the candidate's own ones by their local stand-ins."""
    if not own or not issubclass(nearest, Exception):
        return nearest
    if (nearest, own) not in exception_classes:
        bases = tuple(own) if nearest is Exception else tuple(own) + (nearest,)
        exception_classes[nearest, own] = type("CandidateError", bases, {"__str__": text_of})
    return exception_classes[nearest, own]


channel.setup(Handle, make_handle, Broken, CandidateExit, Unsupported, make_exception)


# ------------------------------------------------------------------------------------------------------ short descriptions

class Brief(reprlib.Repr):
    """repr within bounds on size, whatever is shared or nested in the value."""

    def __init__(self):
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 12
        self.maxdict = 8
        self.maxstring = self.maxother = 160
        self.maxlong = 60

    def repr_int(self, value, level):
        if value.bit_length() > 2000:
            return f"<int of {value.bit_length()} bits>"
        return super().repr_int(value, level)

    def repr_instance(self, value, level):
        if isinstance(value, (float, complex, bytes, type, range, decimal.Decimal, types.BuiltinFunctionType)):
            text = value[:200] if isinstance(value, bytes) else value
            return repr(text)[:self.maxother]
        if type(value).__module__ == "numpy":
            small = getattr(value, "size", 0) <= 1000
            return f"{type(value).__name__}({self.repr1(value.tolist(), level - 1) if small else value.shape})"
        if isinstance(value, (Handle, type(None), bool, BaseException)):
            return repr(value)[:self.maxother]
        for base, show in ((dict, self.repr_dict), (list, self.repr_list), (tuple, self.repr_tuple)):
            if isinstance(value, base):
                return show(value, level)
        fields = getattr(value, "__dict__", None)
        if level <= 0 or not isinstance(fields, dict):
            return f"<{type(value).__name__}>"
        inner = ", ".join(f"{k}={self.repr1(v, level - 1)}" for k, v in list(fields.items())[:8])
        return f"{type(value).__name__}({inner})"


def without_addresses(text):
    """Addresses differ from one run to the next; a verdict does not."""
    return re.sub(r"\b0x[0-9a-f]{6,}", "0x..", text)


def brief(value):
    try:
        return without_addresses(Brief().repr(value)[:MAX_TEXT])
    except (Broken, CandidateExit):
        raise
    except BaseException:
        return f"<{type(value).__name__}>"


# ------------------------------------------------------------------------------------------------------------ trusted text

def names_of(text):
    """(names that the text reads from its globals, names that it binds there, at its top level or by `global` anywhere)"""
    table = _symtable.symtable(text, "<tests>", "exec")
    used = {name for name, flags in table.symbols.items() if flags & _symtable.USE}
    bound = {name for name, flags in table.symbols.items() if flags & _symtable.DEF_BOUND}

    def visit(children):
        for child in children:
            for name, flags in child.symbols.items():
                if flags & _symtable.USE and flags >> _symtable.SCOPE_OFF & _symtable.SCOPE_MASK in GLOBAL_SCOPES:
                    used.add(name)
                if flags & _symtable.DEF_GLOBAL:
                    bound.add(name)
            visit(child.children)

    visit(table.children)
    return used, bound


GLOBAL_SCOPES = (_symtable.GLOBAL_IMPLICIT, _symtable.GLOBAL_EXPLICIT)


# Modules in which something bears the module's own name.
SAME_NAMED = {"datetime", "time", "copy", "random", "bisect"}
# Modules that tests use without importing them, for every solution does: a program's own `np` would decide `np.allclose`.
CUSTOMARY = {"numpy": "numpy", "np": "numpy", "pandas": "pandas", "pd": "pandas"}


def used_as_modules(names, texts):
    """Of these names the ones that a text uses as `name.attribute`."""
    return {n.value.id for text in texts for n in ast.walk(ast.parse(text))
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in names} if names else set()


def innermost_builtin_calls(tree):
    """Built-in names called in every assert, the innermost call of each: what `assert sum(10, 15) == 6` asks about."""
    common = None
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert):
            continue
        names = set()
        for call in ast.walk(node.test):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and hasattr(builtins, call.func.id):
                inner = (n for part in call.args for n in ast.walk(part))
                if not any(isinstance(n, ast.Call) for n in inner):
                    names.add(call.func.id)
        common = names if common is None else common & names
    return common or set()


def truths(node):
    """The parts of a condition whose own truth it is."""
    if isinstance(node, ast.BoolOp):
        return [part for value in node.values for part in truths(value)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return truths(node.operand)
    if isinstance(node, ast.Compare) and all(isinstance(c, ast.Constant) and isinstance(c.value, bool) for c in node.comparators):
        return truths(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("all", "any", "bool") and node.args:
        return truths(getattr(node.args[0], "elt", node.args[0]))
    return [node]


def called(node):
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def deciding_names(trees, names, entry):
    """Of the program's names, those whose word alone decides a test of what another of its functions returned: `is_close` in
    `assert is_close(f(2), 3)`, where nothing trusted defines it."""
    made = set()  # variables of the tests that hold something of the program's

    def of_program(node, but=""):
        return any(isinstance(n, ast.Name) and n.id in made or called(n) not in ("", but) and called(n) in names
                   for n in ast.walk(node))

    nodes = [node for tree in trees for node in ast.walk(tree)]
    for node in nodes:
        value = getattr(node, "iter", None) or (getattr(node, "value", None) if isinstance(node, (ast.Assign, ast.AnnAssign)) else None)
        if isinstance(value, ast.AST) and of_program(value):
            targets = getattr(node, "targets", None) or [node.target]
            made |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    conditions = [node.test for node in nodes if isinstance(node, ast.Assert)]
    conditions += [node.args[0] for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                   and node.func.attr in ("assertTrue", "assertFalse") and node.args]
    return {called(part) for condition in conditions for part in truths(condition) if called(part) in names - {entry}
            and any(of_program(argument, called(part)) for argument in part.args + [k.value for k in part.keywords])}


def oracles(texts, program, follow=False):
    """Names that asserts use elsewhere than in what they hand to the program: `reference` in `assert f(3) == reference(3)`, but not
    `same` in `assert same(f(3), 9)`, which is given the answer. `follow`: also those from which such names get their values, by
    assignment or in a loop."""
    found = set()

    def visit(node, inside):
        if isinstance(node, ast.Call) and called(node) in program:
            inside = True
        if isinstance(node, ast.Name) and not inside:
            found.add(node.id)
        judges = called(node) and any(called(n) in program for part in getattr(node, "args", ()) for n in ast.walk(part))
        for child in ast.iter_child_nodes(node):
            if not (judges and child is node.func):
                visit(child, inside)

    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    for node in nodes:
        if isinstance(node, ast.Assert):
            visit(node.test, False)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert"):
            for part in node.args:
                visit(part, False)
    before = None
    while follow and found != before:
        before = set(found)
        for node in nodes:
            if isinstance(node, ast.Assign) and any(mentions(target, before) for target in node.targets):
                visit(node.value, False)
            elif isinstance(node, (ast.For, ast.comprehension)) and mentions(node.target, before):
                visit(node.iter, False)
    return found


# Modules of the zygote's whose functions keep nothing from one call to the next that State does not put back.
FORGETFUL = {"bisect", "cmath", "collections", "fractions", "functools", "heapq", "itertools", "math", "numbers", "operator", "random", "re",
             "statistics", "string", "typing"}
REACHES_FAR = {"breakpoint", "compile", "delattr", "eval", "exec", "exit", "globals", "input", "locals", "open", "quit", "setattr", "vars"}


def all_nodes(tree):
    """What ast.walk gives, in half the time."""
    found = [tree]
    for node in found:
        for name in node._fields:
            part = getattr(node, name, None)
            if type(part) is list:
                found += [item for item in part if isinstance(item, ast.AST)]
            elif isinstance(part, ast.AST):
                found.append(part)
    return found


def by_kind(trees):
    """{class of nodes: all nodes of it}"""
    found = collections.defaultdict(list)
    for tree in trees:
        for node in all_nodes(tree):
            found[type(node)].append(node)
    return found


def leaves_nothing(kinds):
    """Whether no run of these texts can change more of this process than State puts back, by what they say: they import what keeps
    nothing, write to no attribute and no item of one, and use nothing that could do so behind their backs."""
    for node in kinds[ast.Import] + kinds[ast.ImportFrom]:
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if not FORGETFUL.issuperset(name.partition(".")[0] for name in names):
            return False
    loads = ast.Load
    return all(type(node.ctx) is loads and not node.attr.startswith("_") and node.attr != "register" for node in kinds[ast.Attribute]) \
        and all(type(node.ctx) is loads or type(node.value) is not ast.Attribute for node in kinds[ast.Subscript]) \
        and not any(node.id in REACHES_FAR or node.id.startswith("__") for node in kinds[ast.Name])


def mentions(node, names):
    if type(node) is ast.Name:
        return node.id in names
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))


def is_never(node):
    """`assert False`: what is not to be reached."""
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and not node.test.value


STARTERS = {"Thread", "Timer", "submit", "run_in_executor", "apply_async"}


def given_names(nodes, names):
    """Variables of the tests that hold what the program gave them, or what such an object gave."""
    assigns = [node for node in nodes if type(node) is ast.Assign and type(node.value) is ast.Call]
    given, before = set(), None
    while given != before:
        before = set(given)
        given |= {n.id for node in assigns if mentions(node.value.func, names | given) for target in node.targets
                  for n in ast.walk(target) if isinstance(n, ast.Name)}
    return given


def bare_root(node):
    """The variable of `c.want` or `table["want"]`, or None."""
    if not isinstance(node, (ast.Attribute, ast.Subscript)):
        return None
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node if isinstance(node, ast.Name) else None


class NoteRuns(ast.NodeTransformer):
    """Asserts that are heard only if the program, or a thread, lets them be report that they held: those of functions that are handed
    to it or decorated by it, of loops over what it returns or was handed, and in `with` its object. What such a loop goes over is
    noted, for the program may take from it or write there; and so is what the program was handed where an assert compares its answer
    with a part of that (`f(c) == c.want`)."""

    def __init__(self, found, names):
        self.names = names
        self.found = found  # as by_kind() gives it
        calls = [node for node in found[ast.Call] if mentions(node.func, names)
                 or getattr(node.func, "attr", getattr(node.func, "id", "")) in STARTERS]
        parts = [part for call in calls for part in call.args + [k.value for k in call.keywords]]
        self.handed = {part.id if isinstance(part, ast.Name) else called(part) for part in parts
                       if isinstance(part, (ast.Name, ast.Call))} - {""}
        self.places = []  # of asserts: the name of the function, "for" or "with"
        self.decorated = set()
        self.place = None
        # Variables that the program is handed, and of the loops over them.
        self.arguments, self.targets = set(), {}
        self.given = set()
        loops = found[ast.For] + found[ast.comprehension]
        self.tells = bool(loops) or any(
            type(side) in (ast.Attribute, ast.Subscript) for node in found[ast.Compare] for side in (node.left, *node.comparators)) or any(
            type(part) in (ast.Attribute, ast.Subscript) for node in found[ast.Call] for part in node.args[:2])
        if self.tells or found[ast.With]:
            self.arguments = {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)} - names
            self.given = given_names(found[ast.Assign], names)
        for node in filter(self.is_over_handed, loops):
            root = next(n.id for n in ast.walk(node.iter) if isinstance(n, ast.Name) and n.id in self.arguments)
            names = [n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)]
            self.targets.update((name, root) for name in names)
            self.arguments.update(names)

    def finds_any(self):
        """Whether a visit would find a place of that kind."""
        found = self.found
        return any(node.name in self.handed or self.is_decorated(node) for node in found[ast.FunctionDef]) \
            or any(self.is_over_answers(node) or self.is_over_handed(node) for node in found[ast.For] + found[ast.comprehension]) \
            or any(map(self.is_of_program, found[ast.With])) \
            or self.tells and any(self.told_by(node) for node in found[ast.Assert] + found[ast.Call])

    def is_decorated(self, node):
        return any(mentions(decorator, self.names) for decorator in node.decorator_list)

    def is_over_answers(self, node):
        return any(isinstance(n, ast.Call) and mentions(n.func, self.names) for n in ast.walk(node.iter))

    def is_over_handed(self, node):
        return mentions(node.iter, self.arguments)

    def is_of_program(self, node):
        return any(mentions(item.context_expr, self.names | self.given)
                   and getattr(getattr(item.context_expr, "func", None), "attr", called(item.context_expr)) not in
                   beside_plan.EXPECTED_TO_RAISE | {"subTest"} for item in node.items)

    def told_by(self, node):
        """Of an assert, what the program was handed and all that its answer is compared with: (variable, what to call it, whether it is
        so whatever the variable holds)."""
        if isinstance(node, ast.Assert):
            pairs = [[n.left] + n.comparators for n in ast.walk(node.test) if isinstance(n, ast.Compare)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert"):
            pairs = [node.args[:2]]
        else:
            return []
        found = []
        for sides in pairs:
            asks = [n for side in sides for n in ast.walk(side) if isinstance(n, ast.Call) and mentions(n.func, self.names)]
            for side in sides if asks else ():
                root = bare_root(side)
                if isinstance(side, ast.Name) and side.id in self.targets:
                    found.append((side, self.targets[side.id], True))
                elif root and any(mentions(part, {root.id}) for ask in asks for part in ask.args + [k.value for k in ask.keywords]):
                    found.append((root, ast.unparse(side), False))
        return found

    def visit_FunctionDef(self, node):
        before = self.place
        if self.is_decorated(node):
            self.decorated.add(node.name)
        if node.name in self.handed | self.decorated:
            self.place = node.name
        self.generic_visit(node)
        self.place = before
        return node

    def visit_For(self, node):
        before = self.place
        if self.is_over_answers(node) or self.is_over_handed(node):
            self.place = "for"
        self.generic_visit(node)
        node.iter = self.watched(node.iter)
        self.place = before
        return node

    def visit_comprehension(self, node):
        self.generic_visit(node)
        node.iter = self.watched(node.iter)
        return node

    def visit_With(self, node):
        before = self.place
        if self.is_of_program(node):
            self.place = "with"
        self.generic_visit(node)
        self.place = before
        return node

    def watched(self, node):
        """What a loop goes over: it, and the variables in it, are noted."""
        found = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in self.arguments and isinstance(n.ctx, ast.Load)]
        if not found:
            return node
        name = ast.Constant(found[0].id)
        return noting("__assay_over__", Swapped({n: [ast.Constant(n.id)] for n in found}, "__assay_over__").visit(node), [name])

    def noted(self, node):
        told = self.told_by(node.value if isinstance(node, ast.Expr) else node)
        node = Swapped({n: [ast.Constant(text), ast.Constant(always)] for n, text, always in told}, "__assay_told__").visit(node)
        self.generic_visit(node)
        if not self.place:
            return node
        self.places.append(self.place)
        report = ast.Expr(ast.Call(ast.Name("__assay_ran__", ast.Load()), [ast.Constant(len(self.places) - 1)], []))
        return [node, ast.fix_missing_locations(ast.copy_location(report, node))]

    def visit_Assert(self, node):
        return node if is_never(node) else self.noted(node)

    def visit_Expr(self, node):
        method = node.value.func if isinstance(node.value, ast.Call) else None
        is_test = isinstance(method, ast.Attribute) and method.attr.startswith("assert") and isinstance(method.value, ast.Name)
        if is_test:
            return self.noted(node)
        self.generic_visit(node)
        return node


def noting(function, node, arguments):
    """The same value, of which that function is told."""
    return ast.fix_missing_locations(ast.copy_location(ast.Call(ast.Name(function, ast.Load()), [node] + arguments, []), node))


class Swapped(ast.NodeTransformer):
    """Some variables, at some places, are read through a function that is told of them."""

    def __init__(self, arguments, function):
        self.arguments, self.function = arguments, function

    def visit_Name(self, node):
        return noting(self.function, node, self.arguments[node]) if node in self.arguments else node


def plain_key(value):
    """Equal for plain data that is equal; for all else what it is."""
    if isinstance(value, tuple):
        return tuple, tuple(map(plain_key, value))
    if value is None or type(value) in (bool, int, float, complex, str, bytes):
        return type(value), value
    return id, id(value)


def writes_into_given(found, names):
    """Whether tests change what the program gave them, which in one process the program would see."""
    given = given_names(found[ast.Assign], names)
    return any(not isinstance(node.ctx, ast.Load) and mentions(node.value, given) for node in found[ast.Subscript]) or any(
        isinstance(node.func, ast.Attribute) and node.func.attr in beside_plan.CHANGERS and mentions(node.func.value, given)
        for node in found[ast.Call])


def managing_classes(classes):
    """Names of the classes whose methods, beside those with names like __init__, change what their object holds."""
    found = set()
    for node in classes:
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("__") and method.args.args:
                own = method.args.args[0].arg
                if any(isinstance(n, ast.Attribute) and beside_plan.root_of(n) == own and (
                        not isinstance(n.ctx, ast.Load) or n.attr in beside_plan.CHANGERS) for n in ast.walk(method)):
                    found.add(node.name)
    return found


READERS = {"eval", "exec", "compile", "__import__", "import_module", "getattr", "attrgetter", "methodcaller", "run_string"}
UNPACKERS = {"pickle", "cPickle", "dill", "marshal", "shelve", "cloudpickle", "joblib"}


def followed_texts(calls):
    """How these tests run, unpack or follow a text that may be the program's: `eval(f(2))`, `fmt.format(..)`, `pickle.loads(..)`. It then
    acts in the tests' own process."""
    found = set()
    for node in calls:
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        base = node.func.value if isinstance(node.func, ast.Attribute) else None
        text = node.args[1 if name == "getattr" else 0] if len(node.args) > (name == "getattr") else None
        if name in READERS and text is not None and not isinstance(text, ast.Constant):
            found.add(name)
        elif name in ("format", "format_map", "vformat") and base is not None and not isinstance(base, ast.Constant):
            found.add("format")
        elif name in ("loads", "load") and (isinstance(base, ast.Name) and base.id in UNPACKERS or base is None):
            found.add("loads")
        elif name == "Unpickler":
            found.add("loads")
    return sorted(found)


class CountAsserts(ast.NodeTransformer):
    """Every assert reports under its number whether it held, and the ones after it run all the same."""

    def __init__(self, first):
        self.next = first

    def visit_Assert(self, node):
        number = self.next
        self.next += 1
        report = lambda name: ast.Expr(ast.Call(ast.Name(name, ast.Load()), [ast.Constant(number)], []))
        wrapped = ast.Try([node, report("__assay_held__")],
                          [ast.ExceptHandler(None, None, [report("__assay_failed__")])], [], [])
        return ast.fix_missing_locations(ast.copy_location(wrapped, node))


ASSERT = opcode.opmap.get("LOAD_ASSERTION_ERROR")  # one in each assert statement


def own_asserts(code):
    return code.co_code[::2].count(ASSERT) if ASSERT is not None else 0


def all_asserts(code):
    return own_asserts(code) + sum(all_asserts(inner) for inner in code.co_consts if isinstance(inner, types.CodeType))


def asserts_above(code, line):
    """Assert statements of a code object that stand before this line."""
    places = zip(code.co_code[::2], code.co_positions())
    return sum(1 for operation, place in places if operation == ASSERT and (place[0] or line) < line)


# Packages that tests may want of this machine: where one is missing, no program is.
PACKAGES = {"aiohttp", "attr", "attrs", "boto3", "bs4", "cv2", "cryptography", "dateutil", "django", "fastapi", "flask", "freezegun", "gensim",
            "hypothesis", "jax", "jinja2", "keras", "librosa", "lxml", "matplotlib", "mock", "more_itertools", "mpmath", "networkx", "nltk",
            "nose", "numba", "numpy", "openpyxl", "pandas", "parameterized", "PIL", "plotly", "polars", "psutil", "psycopg2", "pydantic",
            "pymongo", "pytest", "pytz", "requests", "responses", "rich", "scipy", "seaborn", "shapely", "skimage", "sklearn",
            "sortedcontainers", "sqlalchemy", "statsmodels", "sympy", "tensorflow", "toolz", "torch", "torchvision", "tqdm", "transformers",
            "wordcloud", "xgboost", "xlrd", "yaml"}
OWN_IMPORT = re.compile(r"(?P<head>[ \t]*from[ \t]+)(?P<module>\.*[\w.]+)(?=[ \t]+import\b)")


def is_programs(module):
    """Whether a module of this name can only be the program: there is none, and no package is called so."""
    root = module.partition(".")[0]
    if module.startswith("."):
        return True
    if root == "solution" or root in sys.stdlib_module_names or root in PACKAGES or root in sys.modules:
        return False
    try:
        return importlib.util.find_spec(root) is None
    except (ImportError, ValueError):
        return False


def with_own_module(text):
    """The tests' text, where the module from which it imports the program is called `solution`, whatever its author's file was."""
    lines = text.splitlines(keepends=True)
    found = {number: match for number, match in enumerate(map(OWN_IMPORT.match, lines), 1) if match and is_programs(match["module"])}
    if not found:
        return text
    try:
        imports = {node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text  # told when it is compiled
    for number in imports & found.keys():
        lines[number - 1] = found[number]["head"] + "solution" + lines[number - 1][found[number].end():]
    return "".join(lines)


class GoldError(Exception):
    """The data set's doing: reason and sentence."""


def checked_text(make, what):
    """What `make` makes of a text of the row; the data set's doing if it cannot."""
    try:
        return make()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise GoldError(f"gold_{what}", f"the row's {what} does not parse (line {line}): {error}") from None


def compile_text(text, name, what):
    return checked_text(lambda: compile(text, name, "exec", dont_inherit=True), what)


def import_modules(code):
    """Imports everything that the trusted code will, so that the first completion finds what the second does."""
    raw = code.co_code
    at = raw.find(IMPORT_NAME)
    while at >= 0:
        if at % 2 == 0:  # code is made of pairs: operation, argument
            high = raw[at - 1] << 8 if at >= 2 and raw[at - 2] == opcode.EXTENDED_ARG else 0
            try:
                __import__(code.co_names[high | raw[at + 1]])
            except Exception:
                pass  # told when the text itself runs
        at = raw.find(IMPORT_NAME, at + 1)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            import_modules(inner)


IMPORT_NAME = opcode.opmap["IMPORT_NAME"]


# ------------------------------------------------------------------------------------------------------------ one problem

class State:
    """What a completion's tests may change in this process, and back. What the zygote had is noted there, once: a tester that
    noted it again would touch, and so copy, most pages of the interpreter."""

    def __init__(self):
        self.known = first_modules if first_modules is not None else {}
        self.new = channel.modules_since(self.known)
        self.contents = channel.note([m.__dict__ for m in self.new.values()
                                      if isinstance(m, types.ModuleType) and m is not sys.modules[__name__]])
        self.filters = list(warnings.filters)
        self.environ = dict(os.environ._data)
        self.recursion = sys.getrecursionlimit()
        self.path = list(sys.path)

    def restore(self):
        if first_contents is not None:
            channel.restore(first_contents)
        channel.restore(self.contents)
        channel.restore_modules(self.known)
        channel.restore_modules(self.new)
        sys.path[:] = self.path
        random.seed(0)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(0)
        decimal.setcontext(decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN,
                                           traps=[decimal.DivisionByZero, decimal.Overflow, decimal.InvalidOperation]))
        if warnings.filters != self.filters:
            warnings.filters[:] = self.filters
            warnings._filters_mutated()
        if os.environ._data != self.environ:
            os.environ.clear()
            os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in self.environ.items()})
        sys.setrecursionlimit(self.recursion)


first_modules = None
first_contents = None


def prepare_zygote():
    """Called once, before the first fork: notes what every tester begins with."""
    global first_modules, first_contents, session
    # Answers may be long numbers; what reading and showing them costs is bounded by the tester's CPU time.
    sys.set_int_max_str_digits(MAX_DIGITS)
    __import__("gc")  # the zygote freezes its heap when this is done
    prepare(WARM_UP)
    session = None  # what a tester would free, it would copy first
    first = State()
    first_modules, first_contents = first.new, first.contents


def warm_up():
    """Called in each tester while nobody waits: does what every problem needs, so that its pages are this process's own."""
    prepare(WARM_UP)
    session.state.restore()
    json.dumps({})


# A problem like most.
WARM_UP = json.dumps({"entry_point": "f", "trusted": ["def f(x):\n    return x\n"], "setup": "", "tests": {
    "kind": "check", "text": "def check(candidate):\n    assert candidate(1) == [1, 2.5]\n"}})


class Session:
    def __init__(self, spec):
        self.spec = spec
        self.partial = bool(spec.get("partial"))
        self.lists = bool(spec.get("lists"))
        # "Solution().twoSum": a method of a new object.
        self.entry, _, self.method = (spec.get("entry_point") or "").strip().replace(" ", "").partition("().")
        self.tests = spec["tests"]
        self.kind = self.tests["kind"]
        self.served = 0
        self.trusted = spec.get("trusted", [])
        self.setup = spec.get("setup") or ""
        self.texts = self.tests["texts"] if self.kind == "asserts" else [self.tests.get("text") or ""]
        if self.kind == "asserts":
            self.texts = list(map(with_own_module, self.texts))
        self.trusted_code = [compile_text(text, "<prompt>", "prompt") for text in self.trusted]
        self.setup_code = compile_text(self.setup, "<setup>", "tests")
        self.statements = 0  # asserts, where every one counts
        self.steps, self.text_of_step = [], []
        for number, text in enumerate(self.texts):
            parts = self.compile_test(text, f"<tests {number}>")
            self.steps += parts
            self.text_of_step += [number] * len(parts)
        for code in self.trusted_code + [self.setup_code] + self.steps:
            import_modules(code)
        self.find_names()
        of_tests = by_kind(map(ast.parse, self.texts))
        kinds = by_kind(map(ast.parse, self.trusted + [self.setup]))
        for kind, nodes in of_tests.items():
            kinds[kind] += nodes
        self.note_runs(of_tests, kinds)
        self.managing = managing_classes(kinds[ast.ClassDef])
        self.plan = None  # for tests beside the program, made when first wanted
        self.routed = None
        # Apart from its tests the program would really wait, until its time is up: for a clock that they patch, or in one call for
        # another one that a thread of theirs makes.
        self.makes_wait = any(re.search(r"(patch|setattr)\b.*\bsleep\b|\bThread\(|\bThreadPool|\bto_thread\(|\brun_in_executor\(", text)
                              for text in self.texts)
        self.leaves_nothing = self.kind != "checker" and FORGETFUL.issuperset(self.modules) and leaves_nothing(kinds)
        self.state = State()

    def note_runs(self, of_tests, kinds):
        """What decides a pass beside the program's answers: see NoteRuns and followed_texts. Nodes by their kind, of the tests and of all
        trusted texts."""
        self.places, self.decorated, self.followed, self.writes, self.watches = [], set(), [], False, False
        if self.kind not in ("asserts", "check"):
            return
        self.writes = writes_into_given(of_tests, set(self.wanted))
        self.followed = followed_texts(kinds[ast.Call])
        names = set(self.wanted)
        if self.kind == "check":
            names |= {a.arg for module in of_tests[ast.Module] for node in module.body
                      if isinstance(node, ast.FunctionDef) and node.name == "check" for a in node.args.args}
        note = NoteRuns(of_tests, names)
        if not note.finds_any():
            return
        trees = [note.visit(ast.parse(text)) for text in self.texts]
        self.places, self.decorated, self.watches = note.places, note.decorated, bool(note.arguments)
        if not self.partial:
            self.steps = [compile_text(tree, f"<tests {number}>", "tests") for number, tree in enumerate(trees)]

    def is_as_new(self):
        """Whether this process, after the completion that it has judged, is as good as one that has judged nothing."""
        sys.modules.pop("solution", None)
        return self.leaves_nothing and not self.request.get("beside") and not channel.modules_since(first_modules)

    def find_names(self):
        texts = self.trusted + [self.setup] + self.texts
        used, bound = (set().union(*names) for names in zip(*map(names_of, texts)))
        unbound = used - (bound - {self.entry})
        self.members = self.find_members(unbound - {self.entry}, texts)
        unbound -= self.members.keys()
        modules = used_as_modules((unbound & (sys.stdlib_module_names | CUSTOMARY.keys())) - {self.entry}, texts)
        wanted = unbound - modules
        if self.kind == "calls":
            wanted |= {case["fn_name"] for case in self.tests["cases"]} | {"Solution"}
        self.modules = sorted(modules)
        plain = {name for name in wanted if not hasattr(builtins, name)}
        if self.entry:
            plain.add(self.entry)
        elif not plain:  # `assert sum(10, 15) == 6`: the function under test bears a built-in's name
            for text in self.texts:
                plain |= innermost_builtin_calls(ast.parse(text)) & wanted
        elif self.kind == "calls":
            plain = wanted
        self.wanted = tuple(sorted(name for name in plain if not name.startswith("__")))
        self.deciding = self.find_deciding() if len(plain - {self.entry}) >= (1 if self.entry else 2) else []

    @staticmethod
    def find_members(names, texts):
        """Names of modules that a text uses as what bears the same name in them: `datetime(2024, 1, 1)`, `datetime.strptime(..)`."""
        found = {}
        for name in names & SAME_NAMED:
            member = getattr(__import__(name), name)
            nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
            asked = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name}
            is_called = any(isinstance(n, ast.Call) and called(n) == name for n in nodes)
            if name not in asked and (is_called or any(not hasattr(sys.modules[name], attribute) for attribute in asked)):
                found[name] = member
        return found

    def find_deciding(self):
        if self.kind not in ("asserts", "check"):
            return []
        trees = [ast.parse(text) for text in self.texts]
        # check(candidate) has another name for it
        parameters = {a.arg for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"
                      for a in node.args.args}
        return sorted(deciding_names(trees, set(self.wanted) | parameters, self.entry) & set(self.wanted))

    def compile_test(self, text, name):
        """Code to run, one after the other; where every test counts, a statement each."""
        what = "checker" if self.kind == "checker" else "tests"
        if not self.partial:
            return [compile_text(text, name, what)]
        counter = CountAsserts(self.statements)
        tree = counter.visit(checked_text(lambda: ast.parse(text), what))
        self.statements = counter.next
        trees = [ast.Module([node], []) for node in tree.body] if self.kind == "asserts" else [tree]
        return [compile_text(part, name, what) for part in trees]

    # -------------------------------------------------------------------------------------------------- one completion

    def serve(self):
        self.state.restore()
        self.held, self.failures = 0, []
        self.units = {}  # where every test counts: its number or itself -> how often it held, and how often not
        self.raised = 0  # what ended something otherwise than by an assert
        self.lost_texts = {}  # number of a text -> why it failed first
        self.step, self.defined, self.before = 0, 0, None
        self.fetched = {}
        self.ran = set()
        self.idle_asks, self.idle_answers, self.fickle = 0, {}, set()
        self.told, self.overs, self.taken = set(), {}, {}
        self.data_names = ()
        exception_classes.clear()
        self.namespace = {"__name__": "tests", "__builtins__": builtins}
        if self.kind == "checker":
            return self.run_checker()
        beside = bool(self.request.get("beside"))
        if not beside and self.makes_wait and self.may_run_beside():
            return failure("wrong_answer", "the tests patch or make what the program waits for")
        try:
            if beside or self.request.get("mentions"):
                self.tell_setup(beside)
            result = self.lacks_package(self.not_loaded(*channel.loaded())) or (self.judge_beside() if beside else self.judge())
            if result["outcome"] == "pass":  # and ends as a program should
                changed = channel.ask(EXIT, 0, "", (), None)
                # Tests that hold a copy of what has changed since may hold for that alone: they are asked beside the program too.
                if (changed is True or self.writes) and not beside and self.spec.get("beside") and self.kind in ("asserts", "check"):
                    result["changed"] = True
        except CandidateExit:
            result = failure("early_exit", "the program tried to end itself while it was tested")
        except Unsupported as error:
            result = self.unsupported(error)
        except Broken:
            result = None
        broken = channel.broken()
        if broken:
            return failure(*broken)
        return result

    def may_run_beside(self):
        """Whether these tests may run beside the program: asked once, when one has failed."""
        if self.routed is None:
            self.routed = self.spec.get("beside", False) and self.kind in ("asserts", "check") and beside_plan.Routing(
                self.trusted, [self.setup] + self.texts, self.wanted, self.entry).wanted()
        return self.routed

    def tell_setup(self, beside):
        """Before the program: what the setup defines is the program's too, as in MBPP's one namespace."""
        before = None
        if beside:
            self.plan = self.plan or beside_plan.Plan(self)
            before = self.plan.before()
        channel.ask(SETUP, 0, "", (self.setup_statements(not beside), self.entry, before), None)

    def setup_statements(self, for_program):
        """The setup's statements, marshalled. `for_program`: shared_parts()."""
        body = [node for node, _, _ in self.shared_parts()] if for_program else ast.parse(self.setup).body
        return tuple(marshal.dumps(compile(ast.Module([node], []), "<setup>", "exec", dont_inherit=True)) for node in body)

    def shared_parts(self):
        """(statement of the setup, names that it uses, names that it binds): of those that bind what the program mentions, and what
        they need; without what hidden() names."""
        if not self.request.get("mentions"):
            return []
        hidden = self.hidden()
        parts = [(node, *names_of(ast.unparse(node))) for node in ast.parse(self.setup).body]
        parts = [part for part in parts if not hidden & part[2]]
        needed, before = set(self.request["mentions"]), set()
        while needed != before:
            before = set(needed)
            needed |= {name for _, used, bound in parts if bound & needed for name in used}
        return [part for part in parts if part[2] & needed]

    def hidden(self):
        """Names of the setup that are no business of the program's: its entry point, and functions that asserts call for the value which
        they compare with (`reference` in `assert f(3) == reference(3)`), unless the setup itself needs them."""
        body = ast.parse(self.setup).body
        functions = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
        used = {name for node in body for name in names_of(ast.unparse(node))[0]}
        return oracles(self.texts, set(self.wanted)) & functions - used | {self.entry}

    def told_answers(self):
        """Values of the setup that the program mentions and the asserts compare with: it may have taken its answer from there."""
        classes = {node.name for node in ast.parse(self.setup).body if isinstance(node, ast.ClassDef)}
        known = names_of(self.setup)[1] - classes
        return sorted(oracles(self.texts, set(self.wanted), follow=True) & known & set(self.request.get("mentions", ())) - self.hidden())

    def judge_beside(self):
        """The tests have run in the box; what they saw is checked here."""
        report = beside_plan.checked_report(channel.ask(BESIDE, 0, "", (self.plan.spec(),), None))
        if report is None:
            channel.break_off("the report of the tests is odd")
        tests, stopped = report["tests"], report["stopped"]
        self.defined = len(tests)
        asserts = sum(map(own_asserts if self.defined else all_asserts, self.steps))
        total = self.defined + asserts
        bad = [(label, error) for label, held, error in tests if not held]
        errors = [("", error) for error in stopped] + bad
        if not errors and not total and not report["seen"] and not any(re.search(r"\.assert_\w+\(", text) for text in self.texts):
            return fault("gold_tests", "the tests ask nothing of the program")
        problem = "" if errors else self.plan.problem(report)
        if problem:
            return failure("wrong_answer", problem)
        if not errors:
            total = max(total, 1)
            return {"outcome": "pass", "reason": "ok", "passed": total, "total": total, "decided_by": "program", "forgeable": True}
        gold = self.gold_beside(errors[0][1])
        if gold:
            return fault("gold_tests", gold)
        held = sum(1 for _, good, _ in tests if good)
        if self.partial:
            own = {n: counts for n, counts in report["seen"].items() if n in self.plan.own}
            total = max(len(tests) + len(self.plan.own), len(tests) + len(own), 1)
            held += sum(1 for good, failed in own.values() if good and not failed)
        elif not self.defined:
            held = sum(1 for good, failed in report["seen"].values() if good and not failed)
        reason, detail = self.beside_reason(*errors[0])
        own = reason == "wrong_answer" and not errors[0][1].get("is_assert") and not errors[0][1].get("program_line")
        result = failure(reason, detail, f"the tests themselves raise {errors[0][1].get('type')}: {detail}" if own else "")
        result["failing"] = self.beside_failing(*errors[0])
        if result["reason"] == "exception":
            result["exception"] = str(errors[0][1].get("type", ""))
        total = max(total, 1)
        result.update(passed=min(held, total - 1), total=total)
        if self.partial:
            result["score"] = result["passed"] / total
        if errors[0][1].get("program_line") and not errors[0][1].get("is_assert"):
            result["program_line"] = errors[0][1]["program_line"] - self.request.get("first_line", 0)
        return result

    def gold_beside(self, error):
        if error.get("is_import") and not error.get("in_program") and error.get("name") != "solution" and error.get("tests_line"):
            return f"the tests cannot import what they need: {error.get('detail')}"
        if error.get("is_name") and not error.get("in_program") and error.get("name") not in self.wanted + ("",):
            return f"the tests use a name that nothing defines: {error.get('detail')}"
        return ""

    def beside_failed(self, error):
        """(source, left, right) of the assert that failed, as far as it was noted."""
        failed = error.get("failed")
        if not error.get("is_assert") or type(failed) is not list or len(failed) != 4 or type(failed[0]) is not int \
                or not 0 <= failed[0] < len(self.plan.nodes):
            return "", "", ""
        return ast.unparse(self.plan.nodes[failed[0]])[:MAX_TEXT], str(failed[2])[:MAX_TEXT], str(failed[3])[:MAX_TEXT]

    def beside_reason(self, label, error):
        source, left, right = self.beside_failed(error)
        detail, kind = str(error.get("detail", ""))[:MAX_TEXT], str(error.get("type", ""))[:100]
        label = label and f"{label[:200]}: "
        if error.get("is_assert"):
            said = f"{source}; {left} against {right}" if source.startswith("assert") and left else source or detail
            return "wrong_answer", f"{label}test failed: {said}" + (f": {detail}" if source and detail else "")
        if error.get("is_exit"):
            return "early_exit", f"{label}the program tried to end itself while it was tested"
        if error.get("is_memory"):
            return "memory_limit", f"{label}{kind}: {detail}"
        if error.get("program_line"):
            line = error["program_line"] - self.request.get("first_line", 0)
            return "exception", f"{label}{kind}: {detail}" + (f" (line {line})" if line > 0 else "")
        return "wrong_answer", f"{label}the test raised {kind}: {detail}"

    def beside_failing(self, label, error):
        source, left, right = self.beside_failed(error)
        failing = {"test": source or label, "line": error.get("tests_line", 0)}
        if left:
            failing.update(got=left, expected=right)
        return failing

    @staticmethod
    def unsupported(error):
        """The data set's doing, unless the program may have made the value: an answer of its own, wrapped by a test and handed
        back, can be too deep or too large. Only of a type that no answer has can it not be."""
        if channel.asked() and not str(error).endswith("cannot be passed"):
            return failure("wrong_answer", f"a value made of what the program returned cannot be handed back to it: {error}")
        return fault("gold_unsupported", f"the tests pass a value that cannot be handed over: {error}")

    @staticmethod
    def not_loaded(status, kind, message, line, own_line):
        if status == 0:
            return None
        where = f" (line {own_line})" if own_line else f" (line {line} of the prompt)" if line else ""
        if status == 1:
            result = failure("syntax_error", f"{kind}: {message}{where}")
        elif status == 3:
            result = failure("early_exit", f"the program ended itself before it was tested{where}")
        else:
            result = failure("memory_limit" if kind == "MemoryError" else "exception", f"{kind}: {message}{where}{hint_for(kind)}")
            result["exception"] = kind
        if own_line:
            result["program_line"] = own_line
        elif line:
            result["suspect"] = result["detail"]
        if kind == "ModuleNotFoundError":
            result["suspect"] = f"{kind}: {message}"
        return result

    def lacks_package(self, result):
        """The same result, or a fault where the tests import what the program misses: no program could pass here."""
        name = re.search(r"No module named '(\w+)", result["detail"]) if result and result.get("exception") == "ModuleNotFoundError" else None
        if not name or not any(name[1] in code.co_names for code in self.trusted_code + [self.setup_code] + self.steps):
            return result
        try:
            __import__(name[1])
        except ImportError as error:
            return fault("gold_tests", f"the tests cannot import what they need: {error}; --python names an environment that has it")
        return result

    def judge(self):
        try:
            for code in self.trusted_code:
                exec(code, self.namespace)
        except (Broken, CandidateExit):
            raise
        except BaseException as error:
            return fault("gold_prompt", f"the prompt's own code raises {type(error).__name__}: {error}")
        self.register_records(of_prompt=True)
        for name, module in self.modules_to_import():
            try:
                self.namespace.setdefault(name, __import__(module))
            except ImportError:
                pass
        self.namespace.update(self.members)
        solution = types.ModuleType("solution")
        solution.__getattr__ = self.fetch_attribute
        sys.modules["solution"] = solution
        absent = self.fetch_names()
        if self.entry and self.entry in absent:
            return missing([self.entry])
        if self.kind == "calls":
            return self.run_calls()
        if absent and len(absent) == len(self.wanted):
            return missing(sorted(absent)[:5])
        return self.run_tests()

    def modules_to_import(self):
        """What tests use as a module without importing it: (name, module)."""
        return tuple((name, CUSTOMARY.get(name, name)) for name in self.modules)

    def register_records(self, of_prompt):
        channel.records({name: self.namespace[name] for name in self.spec.get("records", ())
                         if isinstance(self.namespace.get(name), type)}, of_prompt,
                        set().union(*(bound for _, _, bound in self.shared_parts())), self.managing)

    def fetch_attribute(self, name):
        """`from solution import name`, `solution.name`."""
        if not name.startswith("__") and not self.fetch((name,)):
            return self.fetched[name]
        raise AttributeError(name)

    def fetch_names(self):
        wanted = tuple(n for n in self.wanted if n not in self.namespace or n == self.entry)
        missing = self.fetch(wanted) if wanted else set()
        self.namespace.update(self.fetched)
        self.data_names = tuple(name for name, value in self.fetched.items() if not isinstance(value, (Handle, type)))
        return missing

    def refresh(self):
        """After a call: the program's variables that the tests look at, unless the tests have bound the names anew."""
        mine = {name: self.fetched[name] for name in self.data_names if self.namespace.get(name) is self.fetched[name]}
        self.data_names = tuple(mine)
        if mine and not self.fetch(self.data_names):
            self.namespace.update((name, self.fetched[name]) for name in mine)

    def fetch(self, wanted):
        """Puts the candidate's globals of these names into self.fetched; returns the ones it does not have."""
        missing = set()
        answer = channel.ask(GLOBALS, 0, "", wanted, None)
        if type(answer) is not tuple or len(answer) != len(wanted):
            channel.break_off("the names' answer is odd")
        for name, pair in zip(wanted, answer):
            if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not bool:
                channel.break_off("the names' answer is odd")
            if not pair[0]:
                missing.add(name)
                continue
            self.fetched[name] = pair[1]
            if isinstance(pair[1], Handle):
                object.__setattr__(pair[1], "_assay_label", name)
        return missing

    def run_tests(self):
        self.namespace["__assay_held__"] = self.count_held
        self.namespace["__assay_failed__"] = self.count_failed
        self.namespace["__assay_ran__"] = self.ran.add
        self.namespace["__assay_told__"] = self.note_told
        self.namespace["__assay_over__"] = self.note_over
        if self.watches:
            channel.watch(self.note_rewritten)
        try:
            exec(self.setup_code, self.namespace)
            if self.entry:  # never the setup's own
                self.namespace[self.entry] = self.fetched[self.entry]
            self.register_records(of_prompt=False)
            for self.step, code in enumerate(self.steps):
                lost = self.lost()
                try:
                    exec(code, self.namespace)
                except Exception as error:
                    if not self.partial:
                        raise
                    self.note_raised(error)
                if self.lists and self.lost() > lost:
                    self.lost_texts.setdefault(self.text_of_step[self.step], self.failures[-1]["reason"])
            if self.kind == "check":
                self.run_check()
            else:
                self.run_defined()
        except (Broken, CandidateExit, Unsupported):
            raise
        except BaseException as error:
            gold = self.blames_gold(error)
            if gold:
                return fault("gold_tests", gold)
            self.before = self.held + self.asserts_before(error)
            self.note_raised(error)
        return self.verdict()

    def run_check(self):
        check = self.namespace.get("check")
        if not callable(check):
            raise GoldError("the tests define no check()")
        check(self.candidate())

    def candidate(self):
        """What is under test: the entry point, or a method of a new object of it."""
        entry = self.namespace[self.entry]
        return getattr(entry(), self.method) if self.method else entry

    def run_defined(self):
        """What the tests define to be run by a test runner."""
        unittest = sys.modules.get("unittest")
        suites = []  # (class or None, tests)
        for name, value in list(self.namespace.items()):
            if unittest and isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "tests":
                suites.append((value, [value(method).debug for method in unittest.defaultTestLoader.getTestCaseNames(value)]))
            elif name.startswith("test_") and isinstance(value, types.FunctionType) and not value.__code__.co_argcount:
                suites.append((None, [value]))
        self.defined = sum(len(tests) for _, tests in suites)
        for kind, tests in suites:
            if kind:
                kind.setUpClass()
            for test in tests:
                self.run_one(test)
            if kind:
                kind.tearDownClass()

    def run_one(self, test):
        counted = sum(map(sum, self.units.values()))  # its asserts may have been counted one by one
        try:
            test()
            if counted == sum(map(sum, self.units.values())):
                self.held += 1
                self.units[test] = [1, 0]
        except Exception as error:
            if not self.partial or self.blames_gold(error):
                raise
            self.note_raised(error)

    def lost(self):
        return self.raised + sum(bad for _, bad in self.units.values())

    def note_raised(self, error):
        self.raised += 1
        self.failures.append(self.explain(error))

    def note_told(self, value, text, always):
        if always or not isinstance(value, (Handle, tuple, str, bytes, int, float, complex, frozenset, range, type(None))):
            self.told.add(text)
        return value

    def note_over(self, value, name):
        self.overs[id(value)] = value, name  # kept, so that the number stays its own
        return value

    def note_rewritten(self, value, before, after):
        """The program has changed what a container of the tests' holds, or taken from an iterator. What it takes out, and an object that
        it puts in the place of another, a loop over it would miss; other data and another order are what programs are asked for."""
        if before is not None and len(after) >= len(before):
            left = collections.Counter(map(plain_key, after))
            if not any(id in key for key in collections.Counter(map(plain_key, before)) - left):
                return
        self.taken[id(value)] = value

    def count_held(self, number):
        self.units.setdefault(number, [0, 0])[0] += 1

    def count_failed(self, number):
        error = sys.exc_info()[1]
        if not isinstance(error, Exception) or self.blames_gold(error):
            raise error
        self.units.setdefault(number, [0, 0])[1] += 1
        if len(self.failures) <= MAX_REPORTED:
            self.failures.append(self.explain(error))

    def fraction(self):
        """(tests that held, tests, score). How often an assert runs may be the program's doing (a loop over what it returned), so
        each counts once, with the share of its runs that held; one that an error kept from running, as failed."""
        asserts = [unit for number, unit in self.units.items() if isinstance(number, int)]
        total = len(self.units) - len(asserts) + self.raised + (self.statements if self.raised else len(asserts))
        held = sum(1 for good, bad in self.units.values() if not bad)
        return held, max(total, 1), sum(good / (good + bad) for good, bad in self.units.values()) / max(total, 1)

    def blames_gold(self, error):
        """A sentence if no program could have brought this about."""
        if isinstance(error, GoldError):
            return str(error)
        if channel.is_candidates(error):
            return ""
        if isinstance(error, ImportError) and error.name != "solution" and any(self.tests_frames(error)):
            return f"the tests cannot import what they need: {error}"
        if channel.asked() == 0 and isinstance(error, NameError) and error.name not in self.wanted:
            return f"the tests use a name that nothing defines: {error}"
        return ""

    @staticmethod
    def tests_frames(error):
        trace = error.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if name.startswith("<tests") or name in ("<setup>", "<prompt>"):
                yield trace
            trace = trace.tb_next

    def asserts_before(self, error):
        """Assert statements that were passed on the way to this failure: in the texts before, and above each frame's line."""
        frames = [t for t in self.tests_frames(error) if t.tb_frame.f_code.co_filename.startswith("<tests")]
        count = own_asserts if self.defined else all_asserts
        earlier = sum(count(code) for code in self.steps[:self.step])
        if self.defined:  # a test counts as a whole
            return earlier + (own_asserts(self.steps[self.step]) if frames and frames[0].tb_frame.f_code is not self.steps[self.step]
                              else 0)
        return earlier + sum(asserts_above(t.tb_frame.f_code, t.tb_lineno) for t in frames)

    def tests_in_all(self):
        """Cases, or assert statements and tests that are defined for a runner; where every assert reports, as often as they ran."""
        if self.kind == "calls":
            return len(self.tests["cases"])
        if self.kind == "checker":
            return self.held + len(self.failures)
        if self.partial:
            return self.fraction()[1]
        if self.defined:
            return self.defined + sum(map(own_asserts, self.steps))
        return max(1, sum(map(all_asserts, self.steps)))

    def verdict(self):
        total = self.tests_in_all()
        if not self.failures and self.kind != "checker" and not channel.asked() and all(isinstance(v, Handle) for v in self.fetched.values()):
            return fault("gold_tests", "the tests ask nothing of the program")
        swallowed = channel.swallowed()
        place = self.place_of(swallowed)
        if not self.failures and swallowed is not None and place not in self.decorated:
            return failure("wrong_answer", f"the program went on after a test of the tests had failed in {place}")
        if not self.failures:
            passed = {"outcome": "pass", "reason": "ok", "passed": total, "total": total}
            # Nothing but the program's own word says so, or an answer that it was told.
            deciding = self.deciding + (self.told_answers() if self.request.get("mentions") else []) + self.followed
            if not self.partial:
                deciding += sorted({place for number, place in enumerate(self.places) if number not in self.ran})
            if swallowed is not None:
                deciding.append(place)
            deciding = deciding + channel.replaced() + sorted(self.fickle | self.told)
            deciding += sorted({name for number, (_, name) in self.overs.items() if number in self.taken})
            return dict(passed, decided_by=deciding, forgeable=True) if deciding else passed
        first = dict(self.failures[0])
        result = failure(first.pop("reason"), first.pop("detail"), first.pop("suspect", ""))
        result["failing"] = first
        if self.lists:
            result["texts"] = [self.lost_texts.get(number, "") for number in range(len(self.texts))]
        result.update(passed=min(self.held if self.before is None else self.before, total - 1), total=total)
        if self.partial and self.kind in ("asserts", "check"):
            held, total, score = self.fraction()
            result.update(passed=held, total=total, score=score)
        if self.partial:
            result.update(failures=[{k: v for k, v in f.items() if k not in ("detail", "suspect")} for f in self.failures[1:MAX_REPORTED]])
        return result

    def place_of(self, error):
        """The name of the tests' function in which it was raised."""
        frames = list(self.tests_frames(error)) if error is not None else []
        return frames[-1].tb_frame.f_code.co_name if frames else "a callback"

    # -------------------------------------------------------------------------------------------- what is said of a failure

    def statement_at(self, frame):
        """The smallest statement of the tests that covers the line where they are, and their lines."""
        number = int(frame.tb_frame.f_code.co_filename[len("<tests "):-1])
        best = None
        for node in ast.walk(ast.parse(self.texts[number])):
            if isinstance(node, ast.stmt) and node.lineno <= frame.tb_lineno <= (node.end_lineno or node.lineno):
                best = node  # deeper ones come later
        return best, self.texts[number].splitlines()

    def explain(self, error):
        frames = [t for t in self.tests_frames(error) if t.tb_frame.f_code.co_filename.startswith("<tests")]
        frame = frames[-1] if frames else None
        node, lines = self.statement_at(frame) if frame else (None, [])
        report = {}
        if node is not None:
            source = "\n".join(lines[node.lineno - 1:node.end_lineno]).strip()
            report["test"] = source[:MAX_TEXT]
            report["line"] = node.lineno
        call = channel.last_call()
        if call is not None:
            label, args, kwargs, value, returned = call
            shown = [brief(a) for a in args] + [f"{k}={brief(v)}" for k, v in kwargs.items()]
            report["input"] = f"{label or 'candidate'}({', '.join(shown)})"[:2 * MAX_TEXT]
            if returned:
                report["got"] = brief(value)
        expected = self.expected_side(node, frame)
        if expected is not None:
            report["expected"] = expected
        return self.name_reason(error, report)

    def name_reason(self, error, report):
        kind = type(error).__name__
        where = f" in: {report['test']}" if isinstance(report.get("test"), str) else ""
        candidates = channel.is_candidates(error)
        if candidates:
            kind, message, line = candidates
            report["reason"] = "memory_limit" if isinstance(error, MemoryError) else "exception"
            report["exception"] = kind
            if kind == "ValueTooLarge":
                report["reason"] = "output_limit"
            report["detail"] = f"{kind}: {message[:MAX_TEXT]}" + (f" (line {line})" if line else "") + where + hint_for(kind)
            if line:
                report["program_line"] = line
            if kind == "ModuleNotFoundError":
                report["suspect"] = f"{kind}: {message[:MAX_TEXT]}"
            return report
        report["reason"] = "wrong_answer"
        if isinstance(error, ImportError) and error.name == "solution":
            report["reason"] = "entry_point_missing"
        if isinstance(error, AssertionError):
            report["detail"] = f"test failed: {report.get('test', error)}"
            if "input" in report and "got" in report:
                report["detail"] += f"; {report['input']} gave {report['got']}"
        else:
            text = str(error)[:MAX_TEXT] if type(error).__module__ == "builtins" else ""
            report["detail"] = f"the test raised {kind}: {text}{where}"
            report["suspect"] = f"the tests themselves raise {kind}{where}"
            if isinstance(error, TypeError) and re.search(r"'(Callable)?Handle", text):
                report["detail"] = ("the tests use an operator of one of the program's own objects, which judge = split does not ask "
                                    f"(auto and inprocess do){where}: {re.sub(r'(Callable)?Handle(Iterator)?', 'object', text)}")
                report["suspect"] = f"the tests use an operator of one of the program's own objects (see --judge){where}"
        return report

    @staticmethod
    def expected_side(node, frame):
        """The right side of `assert x == y` where working it out calls nothing."""
        if not isinstance(node, ast.Assert) or not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1:
            return None
        if not isinstance(node.test.ops[0], (ast.Eq, ast.Is)):
            return None
        right = node.test.comparators[0]
        quiet = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.unaryop, ast.expr_context, ast.Name)
        if not all(isinstance(part, quiet) for part in ast.walk(right)):
            return ast.unparse(right)[:MAX_TEXT]
        try:
            code = compile(ast.Expression(right), "<expected>", "eval", dont_inherit=True)
            return brief(eval(code, frame.tb_frame.f_globals, dict(frame.tb_frame.f_locals)))
        except Exception:
            return None

    # ------------------------------------------------------------------------------------------------------ cases of calls

    def resolve(self, name):
        """A method of Solution, where there is one, before a function: LeetCode's programs import freely."""
        solution = self.namespace.get("Solution")
        if isinstance(solution, Handle):
            method = getattr(solution(), name, None)
            if method is not None:
                return method
        return self.namespace.get(name)

    def run_calls(self):
        for number, case in enumerate(self.tests["cases"]):
            report = self.run_case(case, number)
            if report is None:
                self.held += 1
                continue
            self.failures.append(report)
            if report["reason"] == "entry_point_missing" or not self.partial:
                break
        if self.partial and self.failures:
            missing = len(self.tests["cases"]) - self.held - len(self.failures)
            self.failures += [{"reason": "wrong_answer", "detail": "not run"}] * missing
        return self.verdict()

    def run_case(self, case, number):
        name, args = case["fn_name"], case["input"]
        report = {"test": number, "input": f"{name}({', '.join(brief(a) for a in args)})", "expected": brief(case["output"])}
        try:
            function = self.resolve(name)
            if not isinstance(function, Handle):
                return dict(report, **{k: v for k, v in missing([name]).items() if k != "outcome"})
            got = function(*args)
            if self.equal(got, case["output"]) or case.get("wrapped") and self.equal(got, case["output"][0]):
                return None
        except Exception as error:
            return self.name_reason(error, report)
        report["got"] = brief(got)
        return dict(report, reason="wrong_answer",
                    detail=f"{report['input']} gave {report['got']}, expected {report['expected']}")

    def equal(self, got, want):
        if type(got).__module__ == "numpy":
            got = got.tolist()
        if isinstance(want, bool) or want is None:
            return got is want
        if isinstance(want, (int, float)):
            if isinstance(got, bool) or not isinstance(got, (int, float)):
                return False
            tolerance = self.spec.get("float_tol")
            if got == want or tolerance is None:
                return got == want
            try:
                return abs(got - want) <= tolerance * max(1.0, abs(got), abs(want)) < float("inf")
            except OverflowError:
                return False
        if isinstance(want, str):
            return isinstance(got, str) and got == want
        if isinstance(want, list):
            return self.equal_lists(got, want)
        return self.equal_dicts(got, want)

    def equal_lists(self, got, want):
        unordered = bool(self.spec.get("unordered"))
        if not isinstance(got, (list, tuple) + ((set, frozenset) if unordered else ())) or len(got) != len(want):
            return False
        if not unordered:
            return all(map(self.equal, got, want))
        left = list(want)
        for value in got:
            index = next((i for i, w in enumerate(left) if self.equal(value, w)), None)
            if index is None:
                return False
            del left[index]
        return True

    def equal_dicts(self, got, want):
        if not isinstance(got, dict) or len(got) != len(want):
            return False
        by_text = {key if isinstance(key, str) else json.dumps(key) if isinstance(key, (int, float, type(None))) else "": value
                   for key, value in got.items()}
        return by_text.keys() == want.keys() and all(self.equal(by_text[key], want[key]) for key in want)

    # ------------------------------------------------------------------------------------------------------- special judges

    def run_checker(self):
        """No candidate: its output is data here."""
        check = self.run_script
        if "sys.argv" not in self.texts[0] or "def check(" in self.texts[0]:
            try:
                exec(self.steps[0], self.namespace)
            except BaseException as error:
                return fault("gold_checker", f"the checker raises {type(error).__name__}: {error}")
            check = self.namespace.get("check")
            if not callable(check):
                return fault("gold_checker", "the checker defines no check(input, output, expected) and reads no sys.argv")
        for number, case in enumerate(self.request["cases"]):
            try:
                if truth_of(check(case["input"], case["got"], case["output"])):
                    self.held += 1
                    continue
                report = {"reason": "wrong_answer", "detail": f"the checker rejects the output of test {case['test']}"}
            except GoldError as error:
                return fault(*error.args)
            except Exception as error:
                report = {"reason": "wrong_answer", "detail": f"the checker raises {type(error).__name__} on the output"}
            self.failures.append(dict(report, test=case["test"], got=case["got"][:MAX_TEXT], input=case["input"][:MAX_TEXT]))
            if not self.partial:
                break
        return self.verdict()


    def run_script(self, given, got, expected):
        """A checker that is a program: called with the names of three files, it prints 1 (or more) for a right output."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("input.txt", "correct_output.txt", "solution_output.txt")]
            for path, text in zip(paths, (given, expected, got)):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            printed = io.StringIO()
            sys.argv = ["checker.py"] + paths
            try:
                with contextlib.redirect_stdout(printed):
                    exec(self.steps[0], {"__name__": "__main__", "__builtins__": builtins})
            except SystemExit as leave:
                if leave.code not in (None, 0):
                    return False
        words = printed.getvalue().split()
        return bool(words) and float(words[-1]) > 0


def truth_of(said):
    """What a special judge says: true or false, or that with a message."""
    if isinstance(said, (tuple, list)) and said:
        said = said[0]
    if said is None or isinstance(said, bool) or type(said).__name__ == "bool_" or said in (0, 1):
        return bool(said)
    raise GoldError("gold_checker", f"the checker says neither true nor false: {brief(said)}")


def hint_for(kind):
    """What helps against an exception that is this machine's as much as the program's."""
    return "; a package is missing here: --python names an environment that has it" if kind == "ModuleNotFoundError" else ""


def failure(reason, detail, suspect=""):
    """`suspect`: what may be the row's own fault, if every completion of it fails so."""
    result = {"outcome": "fail", "reason": reason, "detail": without_addresses(detail)}
    return dict(result, suspect=without_addresses(suspect)) if suspect else result


def missing(names):
    sentence = "the program does not define " + ", ".join(names)
    return failure("entry_point_missing", sentence, sentence)


def fault(reason, detail):
    return {"outcome": "fault", "reason": reason, "detail": detail}


session = None
problem = None


def prepare(spec_text):
    """Called once for a problem; what is wrong with the row is told for every completion."""
    global session, problem
    if session is not None:
        session.state.restore()
    session = problem = None
    try:
        session = Session(json.loads(spec_text))
    except GoldError as error:
        problem = fault(*error.args)
    except Exception as error:
        problem = fault("gold_tests", f"the row's tests cannot be used: {type(error).__name__}: {error}")


WORN, OF_ONE, AS_NEW = range(3)  # what a tester may do next
to_json = json.dumps  # whatever tests make of the module's


def serve(request_text):
    """One completion; returns (JSON text, what this tester may do next)."""
    if problem is not None:
        return to_json(problem), OF_ONE
    steady = True
    try:
        session.request = json.loads(request_text) if request_text else {}
        result = session.serve()
    except (Broken, CandidateExit):
        result = failure(*(channel.broken() or ("early_exit", "the program ended while it was tested")))
    except MemoryError:
        steady = False
        result = failure("memory_limit", "the tester ran out of memory on what the program returned")
    except BaseException as error:
        # Whatever slips through was brought about by a value: never a fault, or it would pay.
        steady = False
        result = failure("wrong_answer", f"the tester gave up: {type(error).__name__}: {str(error)[:MAX_TEXT]}")
    if not session.request.get("beside") and result["reason"] in MENDED_BESIDE and session.may_run_beside():
        result["beside"] = True
    session.served += 1
    if session.served >= RETIRE_AFTER:
        return to_json(result), WORN
    return to_json(result), AS_NEW if steady and session.is_as_new() else OF_ONE
