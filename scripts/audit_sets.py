#!/usr/bin/env python3
"""`assay audit` over the problem sets of the data folder, and over the same sets with faults planted in them.

    audit_sets.py DATA_SETS_FOLDER --build build [--only gsm8k,mbpp] [--rows N] [--plant] [--out DIR]

Without --plant: one line of a table a set (docs/audit.md). With --plant: a third of the rows gets one fault each, of a kind that its form
allows (FAULTS below); prints how many of them the audit finds, a line a set and kind.
"""

import argparse
import ast
import gzip
import json
import pathlib
import random
import re
import subprocess
import sys

TEXT, CODE = "math", "code"


def gsm8k(row):
    return {"id": row["id"], "prompt": row["question"], "answer": row["answer"], "solution": row["solution"]}


def math500(row):
    return {"id": row["unique_id"], "prompt": row["problem"], "answer": row["answer"], "solution": row["solution"]}


def aime(row):
    return {"id": row["id"], "prompt": row["problem"], "answer": row["expected_answer"], "solution": row["reference_solution"]}


def mbpp(row):
    return {"id": row["task_id"], "prompt": row["text"], "reference": row["code"],
            "verification_info": {"asserts": row["test_list"] + row["challenge_test_list"], "setup": row["test_setup_code"]}}


def humaneval(row):
    return {"id": row["task_id"], "prompt": row["prompt"], "reference": row["canonical_solution"],
            "verification_info": {"test": row["test"], "entry_point": row["entry_point"]}}


def leetcode(row):
    return {"id": row["id"], "prompt": row["problem"], "reference": row["solutions"],
            "verification_info": {"test": row["tests"]["functional"]}}


def code_contests(row):
    cases = [{"type": "stdin_stdout", "input": i, "output": o} for i, o in zip(row["tests"]["inputs"], row["tests"]["outputs"])]
    return {"id": row["id"], "prompt": row["problem"], "verification_info": {"language": "python", "test_cases": cases}}


SETS = {
    "gsm8k": ("gsm8k_test", gsm8k, TEXT), "math500": ("math500", math500, TEXT), "aime2024": ("aime2024", aime, TEXT),
    "aime2025": ("aime2025", aime, TEXT), "mbpp": ("mbpp", mbpp, CODE), "humaneval": ("humaneval", humaneval, CODE),
    "leetcode": ("leetcode_rllm", leetcode, CODE), "code_contests": ("code_contests_rllm", code_contests, CODE)}


# ------------------------------------------------------------------------------------------------------------- planted faults

def wrong_gold(row, rng, rows):
    if "answer" in row:
        others = [other["answer"] for other in rows if other["answer"].strip() != row["answer"].strip()]
        row["answer"] = rng.choice(others)
        return True
    info = row["verification_info"]
    if "reference" not in row:
        return False
    for key in ("asserts", "test"):
        texts = info.get(key)
        for at, text in enumerate(texts if isinstance(texts, list) else [texts] if texts else []):
            changed = re.sub(r"==\s*(?!True|False)([^\n#]+?)\s*$", r"== ('not this', \1)", text, count=1, flags=re.M)
            if changed != text and "isclose" not in text:
                if isinstance(texts, list):
                    texts[at] = changed
                else:
                    info[key] = changed
                return True
    return False


def weak_tests(row, rng, _rows):
    info = row.get("verification_info", {})
    texts = info.get("asserts")
    if not texts or "reference" not in row:
        return False
    weak = []
    for text in texts:
        match = re.match(r"\s*assert\s+(.+?)\s*==\s*.+$", text, re.S)
        if not match or match[1].count("(") != match[1].count(")"):
            continue
        weak.append(rng.choice([f"assert {match[1]} is not None", f"assert not callable({match[1]})", f"assert str({match[1]}) != 'no'"]))
    info["asserts"] = weak
    return bool(weak)


def weak_checks(row, rng, _rows):
    """The same in a function `check`: it looks at no value any more."""
    text = row.get("verification_info", {}).get("test", "")
    weak, count = re.subn(r"^(\s*assert\s+candidate\(.*\))\s*==.*$", r"\1 is not None", text, flags=re.M)
    if "reference" not in row or count == 0 or count < len(re.findall(r"\bassert\b", text)):
        return False
    row["verification_info"]["test"] = weak
    return True


def leak(row, rng, _rows):
    if "answer" in row:
        told = rng.choice(["\nAnswer: {}", "\n(The correct answer is {}.)", "\nHint: the result is {}.", "\n#### {}", " \\boxed{{{}}}"])
        row["prompt"] += told.format(row["answer"])
        return True
    if "reference" not in row:
        return False
    told = rng.choice(["\nFor example:\n```python\n{}\n```\n", "\nSolution:\n{}\n", "\n# one way to do it:\n{}\n"])
    row["prompt"] += told.format(row["reference"])
    return len([line for line in row["reference"].splitlines() if len(line.strip()) > 12]) > 1


def wrong_solution(row, rng, _rows):
    """One return of the solution gives something else."""
    if "reference" not in row:
        return False
    whole = row["prompt"] + row["reference"] if "entry_point" in row["verification_info"] else row["reference"]  # the prompt begins the program
    try:
        returns = [node.value for node in ast.walk(ast.parse(whole)) if isinstance(node, ast.Return) and node.value is not None]
    except SyntaxError:
        return False
    if not returns:
        return False
    value = rng.choice(returns)
    lines = whole.splitlines(keepends=True)
    start = sum(len(line) for line in lines[:value.lineno - 1]) + len(lines[value.lineno - 1].encode()[:value.col_offset].decode())
    end = sum(len(line) for line in lines[:value.end_lineno - 1]) + len(lines[value.end_lineno - 1].encode()[:value.end_col_offset].decode())
    wrong = rng.choice(["not ({})", "[{}, {}]", "('no', {})", "str({}) + ' '"])
    changed = whole[:start] + wrong.replace("{}", whole[start:end]) + whole[end:]
    if whole == row["reference"]:
        row["reference"] = changed
        return True
    row["reference"] = changed[len(row["prompt"]):]
    return start >= len(row["prompt"])


def broken_tests(row, rng, _rows):
    """A test that cannot be read, or that calls what nobody defines."""
    info = row.get("verification_info", {})
    if "reference" not in row:
        return False
    key = "asserts" if info.get("asserts") else "test"
    texts = info[key] if isinstance(info[key], list) else [info[key]]
    at = rng.randrange(len(texts))
    name = re.search(r"assert\s+(?:\w+\(+)*?([A-Za-z_]\w*)\(", texts[at])
    if rng.random() < 0.5 and name:
        texts[at] = texts[at].replace(name[1] + "(", name[1] + "_2(")
    else:
        cut = texts[at].rfind(")")
        if cut < 0:
            return False
        texts[at] = texts[at][:cut] + texts[at][cut + 1:]
        try:
            ast.parse(texts[at])
            return False  # it stood in a message
        except SyntaxError:
            pass
    if not isinstance(info[key], list):
        info[key] = texts[0]
    return True


def borrowed_prompt(row, rng, rows):
    """As where lists are put together wrongly: another row's question stands over this one's answer or tests. Gives that row's id."""
    if "entry_point" in row.get("verification_info", {}):
        return False  # the prompt is a piece of the program
    other = rng.choice([other for other in rows if other["id"] != row["id"]])
    row["prompt"] = other["prompt"]
    return str(other["id"])


def shown_tests(row, rng, _rows):
    """A prompt whose examples are all the tests that there are."""
    cases = row.get("verification_info", {}).get("test_cases")
    if not cases or sum(len(case["input"]) + len(case["output"]) for case in cases[:3]) > 20000:
        return False
    row["verification_info"]["test_cases"] = shown = cases[:3]
    form = rng.choice(["\n\nExample\nInput\n{}\nOutput\n{}\n", "\n\nSample input:\n{}\nSample output:\n{}\n"])
    row["prompt"] += "".join(form.format(case["input"], case["output"]) for case in shown)
    return True


# What is planted, and which findings count as having found it.
FAULTS = {"wrong gold": (wrong_gold, {"solution_disagrees", "gold_fails", "gold_unread"}), "weak tests": (weak_tests, {"weak_tests", "pays_unsolved"}),
          "weak checks": (weak_checks, {"weak_tests", "pays_unsolved"}), "leak": (leak, {"prompt_tells", "pays_unsolved"}), "wrong solution": (wrong_solution, {"gold_fails"}),
          "broken tests": (broken_tests, {"gold_fails", "gold_unread"}), "borrowed prompt": (borrowed_prompt, {"double", "contradiction"}),
          "shown tests": (shown_tests, {"pays_unsolved"})}


def plant(rows, rng):
    """{id of a row: (fault, id of a second row at which it may be found as well, or True)}."""
    planted, lenders = {}, set()
    for row in rows:
        if rng.random() > 1 / 3 or str(row["id"]) in lenders:
            continue
        for name in rng.sample(sorted(FAULTS), len(FAULTS)):
            changed = json.loads(json.dumps(row))
            # HumanEval's prompt is a piece of the program: text behind it would be one, too.
            if name == "leak" and "entry_point" in row.get("verification_info", {}):
                continue
            done = FAULTS[name][0](changed, rng, [other for other in rows if str(other["id"]) not in planted])
            if done:
                row.clear()
                row.update(changed)
                planted[str(row["id"])] = (name, done)
                if isinstance(done, str):
                    lenders.add(done)
                break
    return planted


# ---------------------------------------------------------------------------------------------------------------------- audits

def audit(args, rows, kind, stem):
    folder = pathlib.Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run([str(pathlib.Path(args.build) / "assay"), "audit", path, "--verifier", kind, "-o", folder / f"{stem}.json", "--page",
                           folder / f"{stem}.html", "--mutants", str(args.mutants), "-q"], check=False)
    if done.returncode != 0:
        sys.exit(f"audit of {stem}: exit code {done.returncode}")
    return json.loads((folder / f"{stem}.json").read_text())


def passing(report, *names):
    return max((report["probes"].get(name, {}).get("passed", 0) for name in names), default=0) / max(report["rows"], 1)


def table_line(name, report):
    found = report["findings"]
    mutants = report["mutants"]
    alive = f"{100 * mutants['alive'] / mutants['made']:.0f} % of {mutants['made']:,}" if mutants["made"] else "-"
    guess = max(report["probes"].items(), key=lambda item: item[1]["passed"])
    cells = [name, report["rows"]] + [found[kind] for kind in ("gold_fails", "gold_frames", "solution_disagrees", "pays_unsolved", "weak_tests", "tests_hang",
                                                               "double", "contradiction", "prompt_tells")]
    cells += [alive, f"{guess[0]}: {100 * guess[1]['passed'] / report['rows']:.1f} %", f"{100 * report['undecided'] / max(report['verdicts'], 1):.1f} %"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", default=",".join(SETS))
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", action="store_true")
    parser.add_argument("--out", default="out/audit")
    args = parser.parse_args()
    all_planted = all_found = 0
    for name in args.only.split(","):
        file, form, kind = SETS[name]
        with gzip.open(pathlib.Path(args.folder) / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [form(json.loads(line)) for line in lines]
        rng = random.Random(args.seed)
        if args.rows:
            rows = rng.sample(rows, min(args.rows, len(rows)))
        if not args.plant:
            print(table_line(name, audit(args, rows, kind, name)), flush=True)
            continue
        planted = plant(rows, rng)
        report = audit(args, rows, kind, f"{name}.planted")
        found = {str(row["id"]): {item["kind"] for item in row["findings"]} for row in report["row_findings"]}
        for fault, (_, kinds) in FAULTS.items():
            ids = [at for at, (what, _) in planted.items() if what == fault]
            hits = [at for at in ids if (found.get(at, set()) | found.get(planted[at][1], set())) & kinds]
            all_planted += len(ids)
            all_found += len(hits)
            if ids:
                print(json.dumps({"set": name, "fault": fault, "planted": len(ids), "found": len(hits),
                                  "missed": sorted(set(ids) - set(hits))[:10]}), flush=True)
    if args.plant:
        print(json.dumps({"planted": all_planted, "found": all_found}))
        sys.exit(0 if all_found >= 0.95 * all_planted else 1)


if __name__ == "__main__":
    main()
