"""Turns the problem sets of the data folder into rows for `assay score --verifier code`, each with completions and labels.

    code_sets.py NAME FILE [--mutants N] [--seed S] > rows.jsonl

NAME: humaneval, mbpp, mbpp_sanitized, leetcode_rllm: the canonical solution (label true).
      leetcode180, codeforces, code_contests: sets without solutions: a program that looks its answers up (true) and one whose
      first answer is another (false), so that every test of the set is carried through the judge.
      helpers: HumanEval/32, 38 and 50 with the prompt's helpers redefined to agree with anything (false).
--mutants N: instead, N solutions of each problem with one operator, constant, comparison or return changed (no labels: what
      decides is in-process running).
"""

import argparse
import ast
import base64
import gzip
import importlib.util
import json
import random
import sys

OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod]
COMPARISONS = [ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq]


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


# --------------------------------------------------------------------------------------------------------------- mutants

def changes(tree):
    """Every change of one place, as a function that makes it."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.AugAssign)):
            found += [(node, "op", kind()) for kind in OPERATORS if not isinstance(node.op, kind)]
        elif isinstance(node, ast.Compare):
            found += [(node, "ops", [kind()] + node.ops[1:]) for kind in COMPARISONS if not isinstance(node.ops[0], kind)]
        elif isinstance(node, ast.BoolOp):
            found.append((node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            found.append((node, "value", not node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            found += [(node, "value", node.value + step) for step in (-1, 1)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 20:
            found.append((node, "value", node.value + "x"))
        elif isinstance(node, ast.Return) and node.value is not None:
            found += [(node, "value", ast.Constant(value)) for value in (None, 0)]
        elif isinstance(node, (ast.If, ast.While)):
            found.append((node, "test", ast.UnaryOp(ast.Not(), node.test)))
    return found


def mutants(program, entry, count, seed):
    """Up to `count` programs, each with one change; in the entry point only, where there is one: what the prompt defines
    besides is not the candidate's. Documentation is left alone because it is no constant of the code's."""
    tree = ast.parse(program)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None and len(node.body) > 1:
            del node.body[0]
    own = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry]
    everything = changes(own[0] if own else tree)
    random.Random(seed).shuffle(everything)
    made = []
    for node, field, value in everything[:count]:
        before = getattr(node, field)
        setattr(node, field, value)
        made.append(ast.unparse(ast.fix_missing_locations(tree)) + "\n")
        setattr(node, field, before)
    return list(dict.fromkeys(made))


# ------------------------------------------------------------------------------------------------------------------- sets

def humaneval(rows):
    for row in rows:
        yield ({"id": row["task_id"], "prompt": row["prompt"], "entry_point": row["entry_point"], "test": row["test"]},
               row["canonical_solution"], row["prompt"] + row["canonical_solution"])


def mbpp(rows):
    for row in rows:
        yield ({"id": row["task_id"], "test_list": row["test_list"] + row["challenge_test_list"],
                "test_setup_code": row["test_setup_code"]}, row["code"], row["code"])


def leetcode_rllm(rows):
    for row in rows:
        yield {"id": row["id"], "verification_info": {"test": row["tests"]["functional"]}}, row["solutions"], row["solutions"]


SPECIAL = {
    # Helpers that agree with anything, and an entry point that is wrong.
    "HumanEval/32": "    return 0.0\n\n\ndef poly(xs, x):\n    return 0.0\n",
    "HumanEval/38": "    return s\n\n\ndef encode_cyclic(s):\n    return s\n",
    "HumanEval/50": "    return s\n\n\ndef encode_shift(s):\n    return s\n",
}


def helpers(rows):
    for row in rows:
        if row["task_id"] in SPECIAL:
            yield {"id": row["task_id"], "prompt": row["prompt"], "entry_point": row["entry_point"], "test": row["test"],
                   "completions": [SPECIAL[row["task_id"]], row["canonical_solution"]], "labels": [False, True]}


def table_program(pairs):
    """A program for standard streams that knows the answers, in a form that survives any bytes."""
    packed = base64.b85encode(json.dumps(pairs).encode()).decode()
    return ("import base64, json, sys\nTABLE = dict(json.loads(base64.b85decode(" + repr(packed) + ")))\n"
            "sys.stdout.write(TABLE[sys.stdin.read()])\n")


def streams(rows):
    for row in rows:
        tests = row["tests"]
        pairs = ([(t["input"], t["output"]) for t in tests] if isinstance(tests, list)
                 else list(zip(tests["inputs"], tests["outputs"])))
        pairs = list(dict(pairs).items())
        # The tests run one after the other and stop at the first failure: the last one is made wrong.
        wrong = pairs[:-1] + [(pairs[-1][0], pairs[-1][1] + "\nnot this\n")]
        cases = [{"type": "stdin_stdout", "input": i, "output": o} for i, o in pairs]
        yield {"id": row["id"], "verification_info": {"language": "python", "test_cases": cases},
               "completions": [table_program(pairs), table_program(wrong)], "labels": [True, False]}


def leetcode_answers(test):
    """(method, [(arguments, answer)]) of a LeetCode test: `test_input = {..}` and `assert my_solution.method(**..) == ..`."""
    method, pairs, given = None, [], None
    for node in ast.parse(test).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "test_input":
            given = ast.literal_eval(node.value)
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
            method = node.test.left.func.attr
            pairs.append((given, ast.literal_eval(node.test.comparators[0])))
    return method, pairs


def leetcode180(rows):
    for row in rows:
        try:
            method, pairs = leetcode_answers(row["test"])
        except (ValueError, AttributeError) as error:
            print(f"{row['task_id']}: answers cannot be read off the tests: {error}", file=sys.stderr)
            continue
        programs = []
        for table in (pairs, pairs[:-1] + [(pairs[-1][0], ["not this"])]):
            packed = base64.b85encode(repr(table).encode()).decode()
            programs.append("import ast, base64\nclass Solution:\n"
                            f"    table = ast.literal_eval(base64.b85decode({packed!r}).decode())\n"
                            f"    def {method}(self, **given):\n"
                            "        return next(answer for known, answer in self.table if known == given)\n")
        yield {"id": row["task_id"], "verification_info": {"test": row["test"]}, "completions": programs, "labels": [True, False]}


SETS = {"humaneval": humaneval, "mbpp": mbpp, "mbpp_sanitized": humaneval, "leetcode_rllm": leetcode_rllm}
WHOLE = {"leetcode180": leetcode180, "codeforces": streams, "code_contests": streams, "helpers": helpers}


def missing_package(program):
    """A module that the program imports and this interpreter lacks, or ""."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        names = ([a.name for a in node.names] if isinstance(node, ast.Import)
                 else [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else [])
        for name in names:
            if importlib.util.find_spec(name.split(".")[0]) is None:
                return name
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted({**SETS, **WHOLE}))
    parser.add_argument("file")
    parser.add_argument("--mutants", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = read(arguments.file)
    if arguments.name in WHOLE:
        for row in WHOLE[arguments.name](rows):
            print(json.dumps(row))
        return
    for row, solution, program in SETS[arguments.name](rows):
        if missing := missing_package(program):
            print(f"{row['id']}: left out, its solution needs {missing}", file=sys.stderr)
            continue
        if not arguments.mutants:
            print(json.dumps(dict(row, completions=[solution], labels=[True])))
            continue
        try:
            made = mutants(program, row.get("entry_point", "").strip(), arguments.mutants, f"{arguments.seed} {row['id']}")
        except (SyntaxError, ValueError):
            continue  # a solution that does not parse has no mutants
        if made:
            print(json.dumps(dict(row, completions=made)))


if __name__ == "__main__":
    main()
