"""What `assay` reads and writes fits the schemas under docs/schemas, and every reason it gives is listed in docs/reasons.md.

Run by ctest: schemas_check.py SOURCE_DIR BUILD_DIR. Exit 1 with the first misfits.
"""

import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import tomllib

from schema_check import Checker

BAD_LINES = ['{"id": 1', '{"id": "x"}', '[1, 2]', '{"id": "y", "completions": "text"}',
             '{"id": "z", "completions": ["a", "b"], "finish_reasons": ["stop"]}']
ROWS = [
    {"id": 7, "task": "format", "completion": "<think>a</think>b", "note": {"kept": [1, None]}},
    {"task": "nothing", "completions": ["a"]},
    {"id": "empty", "task": "format", "completions": []},
    {"id": "chat", "task": "math", "prompt": [{"role": "user", "content": "1+1?"}], "answer": 2,
     "completions": [[{"role": "assistant", "content": "\\boxed{2}"}], "\\boxed{3}"]},
    {"id": "options", "task": "math", "answer": "2", "options": {"math": {"mode": "bare", "float_digits": None}}, "completions": ["2"]},
    {"id": "list", "task": "math", "answer": "2", "options": ["A. 1", "B. 2"], "completions": ["2"]},
]
# Scored, as faults; and no schema takes their options.
BAD_OPTIONS = [{"id": "bad", "task": "math", "answer": "2", "options": {"math": options}, "completions": ["2"]}
               for options in ({"mode": "no such mode"}, {"mod": "bare"}, {"float_digits": 1001}, {"choices": [""]}, {"strict": 1})]
TOML = {"examples/r1.toml": "rubric", "examples/r1-code.toml": "rubric", "examples/sums/reward.toml": "rubric",
        "examples/sums/sft.toml": "sft_recipe", "examples/sums/grpo.toml": "grpo_recipe"}
BAD_TOML = {"rubric": ["rule = 'sume'\nterm = [{verifier = 'math'}]", "[[term]]\nweight = 1", "[[term]]\nverifier = 'math'\nwieght = 1",
                       "[[term]]\nverifier = 'math'\noptions = {mode = 'bar'}", "name = 'x'"],
            "sft_recipe": ["learning_rat = 1e-5", "[model]\npath = 3", "packing = 1"],
            "grpo_recipe": ["loss_type = 'dapoo'", "[server]\ntimeout_s = 0", "[reward]\noverlong_share = 2"]}


def score(assay, path, *options):
    done = subprocess.run([assay, "score", path, "-q", *options], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"assay score {path}: exit {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def exported(assay, path, scratch):
    """The lines of a data set made of `path`, flat and by group."""
    store = str(pathlib.Path(scratch) / "s.sqlite")
    steps = [["score", path, "--store", store, "-o", str(pathlib.Path(scratch) / "scored.jsonl")],
             ["select", "--store", store, "--strategy", "all-correct", "--dataset", "d", "-o", str(pathlib.Path(scratch) / "s.txt")]]
    lines = []
    for step in steps:
        subprocess.run([assay, *map(str, step), "-q"], check=True)
    for more in ([], ["--group"]):
        out = pathlib.Path(scratch) / "d.jsonl"
        subprocess.run([assay, "export", "--store", store, "--dataset", "d", "--format", "jsonl", "-q", "-o", out, *more], check=True)
        lines += [json.loads(line) for line in out.read_text().splitlines()]
    return lines


def store_as_json(path):
    """The tables of a store as docs/schemas/store.schema.json has them, and the schema version that the file names."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' OR name = 'verdicts'")]
        tables = {name: [{key: row[key].hex() if isinstance(row[key], bytes) else row[key] for key in row.keys()}
                         for row in db.execute(f"SELECT * FROM {name}")] for name in names}
        return tables, db.execute("PRAGMA user_version").fetchone()[0]


def schema_of(line):
    if "error" in line:
        return "score_error.schema.json"
    return "score_group.schema.json" if "rewards" in line else "score_flat.schema.json"


def toml_misfits(checker, source):
    for path, name in TOML.items():
        for error in checker.errors(tomllib.loads((source / path).read_text()), f"{name}.schema.json"):
            yield f"{path}: {error}"
    for name, texts in BAD_TOML.items():
        for text in texts:
            if not checker.errors(tomllib.loads(text), f"{name}.schema.json"):
                yield f"{name}.schema.json takes {text!r}"


def reasons_in(line):
    verdicts = line.get("verdicts", [])
    for verdict in verdicts if isinstance(verdicts, list) else [verdicts]:
        yield from (one["reason"] for one in verdict.values())


def main():
    source, build = map(pathlib.Path, sys.argv[1:3])
    checker = Checker(source / "docs" / "schemas")
    documented = set(re.findall(r"^\| `([a-z0-9_]+)` \|", (source / "docs" / "reasons.md").read_text(), re.MULTILINE))
    assay = str(build / "assay")
    misfits = []

    with tempfile.TemporaryDirectory() as scratch:
        odd = pathlib.Path(scratch) / "odd.jsonl"
        odd.write_text("".join(json.dumps(row) + "\n" for row in ROWS + BAD_OPTIONS) + "\n".join(BAD_LINES) + "\n")
        lines = score(assay, odd, "--no-times")
        if sum("error" in line for line in lines) != len(BAD_LINES):
            misfits.append(f"{odd.name}: not every bad line gave an error line")
        inputs = list(ROWS)
        for name in ("demo_math.jsonl", "demo_code.jsonl"):
            path = source / "datasets" / name
            inputs += [json.loads(row) for row in path.read_text().splitlines()]
            lines += score(assay, path)
        report = pathlib.Path(scratch) / "report.json"
        subprocess.run([assay, "run", "--language", "python", "-q", "--report", report, "-"], input="print(1)", text=True,
                       capture_output=True, check=True)
        misfits += checker.errors(json.loads(report.read_text()), "run_result.schema.json")
        kept = exported(assay, source / "datasets" / "demo_math.jsonl", scratch)
        tables, version = store_as_json(pathlib.Path(scratch) / "s.sqlite")
        misfits += [f"store: {error}" for error in checker.errors(tables, "store.schema.json")]
        misfits += [f"store: table {name} is empty" for name, rows in tables.items() if not rows]
        if not checker.schemas["store.schema.json"]["$id"].endswith(f":{version}"):
            misfits.append(f"docs/schemas/store.schema.json is not of the store's version {version}")
        if not kept:
            misfits.append("nothing was selected from demo_math.jsonl")

    misfits += toml_misfits(checker, source)
    misfits += [f"input.schema.json takes {row}" for row in BAD_OPTIONS if not checker.errors(row, "input.schema.json")]
    faults = [line for line in lines if line.get("id") == "bad" and set(reasons_in(line)) == {"gold_bad_options"}]
    if len(faults) != len(BAD_OPTIONS):
        misfits.append(f"{len(faults)} of {len(BAD_OPTIONS)} rows with bad options are faults for that")
    for line in kept:
        for schema in ("dataset.schema.json", "input.schema.json"):
            misfits += [f"exported {line.get('id')}: {error}" for error in checker.errors(line, schema)]
    for row in inputs:
        misfits += [f"input {row.get('id')}: {error}" for error in checker.errors(row, "input.schema.json")]
    for line in lines:
        misfits += [f"output {line.get('id', line.get('line'))}: {error}" for error in checker.errors(line, schema_of(line))]
        misfits += [f"reason '{reason}' is not in docs/reasons.md" for reason in reasons_in(line) if reason not in documented]
    print("\n".join(misfits[:20]) or f"{len(inputs)} input rows and {len(lines) + len(kept)} output lines fit")
    sys.exit(1 if misfits else 0)


if __name__ == "__main__":
    main()
