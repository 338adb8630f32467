"""Single tests out of replies that hold tests, and inputs to try: run in a box, since replies are anybody's text. JSON on standard input:

  prompt       the problem's prompt
  entry_point  the name under test, or ""
  replies      Python texts
  inputs       how many calls to make up (0: none)

and JSON on standard output: {"tests": [{"source", "reply"}], "dropped": {reason: count}, "calls": ["f(1, [2])"]}. A test is an assert
statement (or a statement that holds some) behind the assignments and helpers that it needs. The prompt's own examples are reply -1.
The same input gives the same output.
"""
import ast
import doctest
import itertools
import json
import re
import sys

MOST_BYTES = 4000  # of a test
MOST_TESTS = 150
CHANGING = {"random", "time", "os", "subprocess", "socket", "urllib", "requests", "input", "open", "datetime", "uuid", "secrets", "threading"}
COMPARISONS = {"assertEqual": ast.Eq, "assertEquals": ast.Eq, "assertNotEqual": ast.NotEq, "assertIn": ast.In, "assertNotIn": ast.NotIn,
               "assertIs": ast.Is, "assertIsNot": ast.IsNot, "assertLess": ast.Lt, "assertLessEqual": ast.LtE, "assertGreater": ast.Gt,
               "assertGreaterEqual": ast.GtE, "assertListEqual": ast.Eq, "assertDictEqual": ast.Eq, "assertTupleEqual": ast.Eq,
               "assertSetEqual": ast.Eq, "assertCountEqual": None}
NEAR = {"assertAlmostEqual", "assertAlmostEquals"}


def names(node, kind):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, kind)}


class Plain(ast.NodeTransformer):
    """unittest's methods as assert statements, check()'s parameter as the function, no messages."""

    def __init__(self, entry, parameter):
        self.entry, self.parameter = entry, parameter

    def visit_Name(self, node):
        return ast.copy_location(ast.parse(self.entry, mode="eval").body, node) if node.id == self.parameter and self.entry else node

    def visit_Assert(self, node):
        self.generic_visit(node)
        return ast.copy_location(ast.Assert(node.test, None), node)

    def visit_Expr(self, node):
        self.generic_visit(node)
        call = node.value
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
                and call.func.value.id == "self"):
            return node
        condition = self.condition(call.func.attr, call.args, {k.arg: k.value for k in call.keywords})
        return node if condition is None else ast.copy_location(ast.Assert(condition, None), node)

    @staticmethod
    def condition(name, args, named):
        if name in NEAR and len(args) >= 2:
            within = named.get("delta")
            if within is None:
                places = named.get("places", args[2] if len(args) > 2 else ast.Constant(7))
                within = ast.Constant(0.5 * 10 ** -places.value) if isinstance(places, ast.Constant) and isinstance(places.value, int) else None
            if within is None:
                return None
            gap = ast.Call(ast.Name("abs", ast.Load()), [ast.BinOp(args[0], ast.Sub(), args[1])], [])
            return ast.Compare(gap, [ast.LtE()], [within])
        if name == "assertCountEqual" and len(args) >= 2:
            sides = [ast.Call(ast.Name("sorted", ast.Load()), [side], []) for side in args[:2]]
            return ast.Compare(sides[0], [ast.Eq()], [sides[1]])
        if name in COMPARISONS and len(args) >= 2:
            return ast.Compare(args[0], [COMPARISONS[name]()], [args[1]])
        if name in ("assertTrue", "assertFalse") and args:
            return args[0] if name == "assertTrue" else ast.UnaryOp(ast.Not(), args[0])
        if name in ("assertIsNone", "assertIsNotNone") and args:
            return ast.Compare(args[0], [ast.Is() if name == "assertIsNone" else ast.IsNot()], [ast.Constant(None)])
        return None


def bodies(tree, entry):
    """(statements of one scope, what stands around them), with everything as asserts."""
    def parts(nodes, around):
        yield nodes, around
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                yield from ((f.body, around) for f in node.body if isinstance(f, ast.FunctionDef) and f.name.startswith("test"))
            elif isinstance(node, ast.FunctionDef) and (node.name.startswith("test") and not node.args.args or node.name == "check"):
                yield node.body, around

    outer = tree.body
    for body, around in parts(outer, outer):
        yield body, [] if body is around else around


def parameter_of_check(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check" and len(node.args.args) == 1:
            return node.args.args[0].arg
    return ""


def defines(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).split(".")[0] for a in node.names}
    return names(node, ast.Store)


def holds_asserts(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(isinstance(n, ast.Assert) for n in ast.walk(node))


def with_needs(statement, before, entry):
    """The statement behind those before it that define what it uses."""
    needed, taken = names(statement, ast.Load), []
    for node in reversed(before):
        own = defines(node)
        if entry in own or not own & needed or holds_asserts(node):
            continue
        taken.append(node)
        needed |= names(node, ast.Load)
    return [*reversed(taken), statement]


def why_not(nodes, entry):
    """A reason to drop a test before it is run, or ""."""
    text = "\n".join(ast.unparse(node) for node in nodes)
    if len(text) > MOST_BYTES:
        return "too_long"
    used = set().union(*(names(node, ast.Load) for node in nodes))
    if entry and entry not in used:
        return "not_about_entry_point"
    imported = {a.name.split(".")[0] for node in nodes for n in ast.walk(node) if isinstance(n, ast.Import) for a in n.names}
    imported |= {(n.module or "").split(".")[0] for node in nodes for n in ast.walk(node) if isinstance(n, ast.ImportFrom)}
    if (used | imported) & CHANGING:
        return "not_repeatable"
    if imported - sys.stdlib_module_names:
        return "needs_package"
    return ""


def tests_of(reply, entry):
    """(sources, reasons) of one reply."""
    try:
        tree = ast.parse(reply)
        tree = ast.fix_missing_locations(Plain(entry, parameter_of_check(tree)).visit(tree))
        found, dropped = [], []
        for body, around in bodies(tree, entry):
            for place, node in enumerate(body):
                if not holds_asserts(node):
                    continue
                nodes = with_needs(node, around + body[:place], entry)
                reason = why_not(nodes, entry)
                if reason:
                    dropped.append(reason)
                else:
                    found.append("\n".join(ast.unparse(n) for n in nodes))
        return found, dropped if found or dropped else ["no_assert"]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], ["does_not_parse"]


# ---------------------------------------------------------------------------------------------------------- the prompt's examples

def is_call_of(node, entry):
    return isinstance(node, ast.Call) and ast.unparse(node.func) == entry


def parsed(text):
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_plain(node):
    try:
        ast.literal_eval(node)
        return True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def examples(prompt, entry):
    """(call, what it gives) as the prompt shows them: `>>> f(1)` and a line below, `f(1) == 2`, `f(1) -> 2`."""
    pairs = []
    try:
        # The quotes that end the docstring are no part of what the last example gives.
        pairs += [(e.source, e.want) for e in doctest.DocTestParser().get_examples(re.sub("\"\"\"|'''", "   ", prompt))]
    except ValueError:
        pass
    if entry:
        for line in prompt.splitlines():
            for mark in ("==", "=>", "->", "\u279e", "\u2192", " returns ", " # ", "="):
                left, found, right = line.partition(mark)
                at = left.find(entry + "(")
                if found and at >= 0:
                    pairs.append((left[at:], right.strip().rstrip(".,;")))
                    break
    for call, value in pairs:
        call, value = parsed(call), parsed(value)
        if call is not None and value is not None and (is_call_of(call, entry) or not entry and isinstance(call, ast.Call)) and is_plain(value):
            yield ast.unparse(call), ast.unparse(value)


# ------------------------------------------------------------------------------------------------------------- inputs to try

WORDS = ["", "a", "Hello", "abcabc", "racecar", "The quick brown fox", "aAbB12 !", "zyx", "1 2 3", "(()())", "listen"]
NUMBERS = [3, 0, 1, 7, 10, -4, 2, 25, 100, 12]
VALUES = {
    "int": NUMBERS,
    "float": [3.5, 0.0, 1.25, -2.75, 10.0, 0.5, 99.99],
    "bool": [True, False],
    "str": WORDS,
    "list[int]": [[3, 1, 2], [], [1], [5, 5, 1, 5], [-3, 0, 4, -1], [1, 2, 3, 4, 5, 6], [10, 9, 8, 20], [2, 4, 6, 7]],
    "list[float]": [[3.0, 1.5, 2.25], [], [1.0], [5.5, 5.5, 1.0], [-3.0, 0.0, 4.5, -1.25], [1.0, 2.0, 3.9, 4.0, 5.0]],
    "list[str]": [["abc", "b", "bcd"], [], ["a"], ["zz", "Zz", "aa", "zz"], ["hello", "world", "hi"], ["1", "22", "333"]],
    "list[list[int]]": [[[1, 2], [3, 4]], [[]], [[0, 1, 1], [1, 0, 0]], [[5]], [[3, 1], [2, 2], [1, 3]]],
    "dict[str, int]": [{"a": 1, "b": 2}, {}, {"x": 0, "y": -1, "z": 5}],
    "tuple[int, int]": [(1, 3), (2, 2), (-5, 5), (4, 1)],
}
GUESSES = ["int", "str", "list[int]", "list[str]", "list[float]", "float", "list[list[int]]"]


def kind_of(annotation):
    """Which of VALUES an annotation names, or ""."""
    if annotation is None:
        return ""
    text = re.sub(r"typing\.|\s", "", ast.unparse(annotation).strip("'\"")).lower()
    text = re.sub(r"^optional\[(.*)\]$", r"\1", text).replace("sequence", "list").replace("iterable", "list").replace("union[int,float]", "float")
    return {"list": "list[int]", "dict": "dict[str, int]", "dict[str,int]": "dict[str, int]", "tuple[int,int]": "tuple[int, int]", "list[any]": "list[int]",
            "any": "int"}.get(text, text if text in VALUES else "")


def parameters(prompt, entry):
    """Kinds of the entry point's parameters, "" where the prompt does not say; None: it does not show the function."""
    for text in (prompt, prompt + "\n    pass", prompt.rstrip() + "\n    pass\n"):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == entry:
                args = node.args.posonlyargs + node.args.args
                return [kind_of(a.annotation) for a in args[:len(args) - len(node.args.defaults)] if a.arg != "self"]
    return None


def quoted(prompt):
    """Values that the prompt's prose mentions, by kind."""
    found = {}
    for piece in re.findall(r"'[^'\n]{1,40}'|\"[^\"\n]{1,60}\"|\[[^\[\]\n]{0,80}\]|-?\b\d+(?:\.\d+)?\b", prompt):
        node = parsed(piece)
        if node is None or not is_plain(node):
            continue
        value = ast.literal_eval(node)
        kind = type(value).__name__
        if kind == "list" and value and len({type(v) for v in value}) == 1:
            kind = f"list[{type(value[0]).__name__}]"
        if kind in VALUES and value not in found.setdefault(kind, []):
            found[kind].append(value)
    return found


def variations(value):
    """Neighbours of a value that an example has."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, value * 2, 0]
    if isinstance(value, float):
        return [value + 0.5, -value, 0.0]
    if isinstance(value, str):
        return [value[1:], value + value, value[::-1], value.upper(), ""]
    if isinstance(value, (list, tuple)) and value:
        more = [value[1:], value[::-1], value + value, value[:1]]
        for changed in variations(value[0])[:2]:
            more.append(type(value)([changed, *value[1:]]))
        return more
    return []


def made_up_calls(prompt, entry, shown, wanted):
    """Calls of the entry point, most of them different in one argument from one that the prompt shows, else by the parameters' types."""
    calls = []
    for call, _ in shown:
        node = parsed(call)
        if node.keywords or not all(map(is_plain, node.args)):
            continue
        values = [ast.literal_eval(a) for a in node.args]
        calls.append(values)
        calls += [values[:i] + [v] + values[i + 1:] for i in range(len(values)) for v in variations(values[i])]
    kinds = parameters(prompt, entry)
    if kinds:
        mentioned = quoted(prompt)
        unknown = kinds.count("")
        guesses = itertools.islice(itertools.product(GUESSES, repeat=unknown), 60) if unknown else [()]
        pools = []
        for guess in guesses:
            guess = iter(guess)
            chosen = [kind or next(guess) for kind in kinds]
            pools.append([mentioned.get(kind, [])[:4] + VALUES[kind] for kind in chosen])
        # Of each guess about types some, in turn; strides that differ, so that arguments do not move in step.
        for turn in range(wanted):
            calls += [[pool[(turn * (2 * i + 1) + i) % len(pool)] for i, pool in enumerate(pool_of)] for pool_of in pools]
    texts = list(dict.fromkeys(f"{entry}({', '.join(map(repr, values))})" for values in calls))
    most = wanted if all(kinds or [""]) else 6 * wanted
    return texts[:most]


def main():
    asked = json.load(sys.stdin)
    entry, prompt = asked["entry_point"], asked["prompt"]
    shown = list(examples(prompt, entry))
    dropped, tests, seen = {}, [], set()
    sources = [(-1, [f"assert {call} == {value}" for call, value in shown], [])]
    sources += [(i, *tests_of(reply, entry)) for i, reply in enumerate(asked["replies"])]
    for number, found, reasons in sources:
        for source in found:
            reason = "double" if source in seen else "too_many" if len(tests) >= MOST_TESTS else ""
            if reason:
                reasons.append(reason)
            else:
                tests.append({"source": source, "reply": number})
            seen.add(source)
        for reason in reasons:
            dropped[reason] = dropped.get(reason, 0) + 1
    calls = made_up_calls(prompt, entry, shown, asked["inputs"]) if asked["inputs"] and entry else []
    json.dump({"tests": tests, "dropped": dropped, "calls": calls}, sys.stdout)


main()
