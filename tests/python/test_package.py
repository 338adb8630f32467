"""The package: rewards as `assay score` gives them, rubrics, results, settings."""

import asyncio
import collections
import dataclasses
import functools
import gzip
import json
import math
import os
import pathlib
import pickle
import subprocess
import sys
import time
import types

import pytest

import assay

ROOT = pathlib.Path(os.environ["ASSAY_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["ASSAY_BUILD_DIR"])
ROWS = [
    {"id": 1, "prompt": "3?", "completion": "<think>it is</think>\\boxed{3}", "answer": "3", "mine": [1, None]},
    {"id": "b", "completions": ["x", "<think>a</think>4", ""], "answer": "4"},
    {"neither": 1},
    {"completion": "I do not know", "answer": ["1/2", "0.5"]},
]


def lines_of_command(rows, tmp_path, *flags):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = subprocess.run([BUILD / "assay", "-q", "score", source, "--no-times", *flags], capture_output=True, text=True, check=False)
    assert out.returncode in (0, 3), out.stderr
    return out.stdout.splitlines()


# --- Against the command line.


def test_lines_are_those_of_assay_score(tmp_path):
    toml = '[[term]]\nverifier = "math"\n[[term]]\nverifier = "format"\nweight = 0.2\n'
    (tmp_path / "r.toml").write_text(toml)
    expected = lines_of_command(ROWS, tmp_path, "--rubric", tmp_path / "r.toml")
    for rubric in (assay.math() + 0.2 * assay.format(), toml, tmp_path / "r.toml", assay.Rubric.from_toml(toml)):
        lines = list(assay.score(ROWS, rubric).lines(times=False))
        assert lines[:2] + lines[3:] == expected[:2] + expected[3:]
    assert json.loads(lines[2])["rewards"] is None


def test_groups_of_flat_rows(tmp_path):
    rows = [{"q": q, "completion": c, "answer": "4"} for q, c in [("a", "4"), ("b", "5"), ("a", "5"), ("b", "4"), ("a", "6")]]
    result = assay.score(rows, "math", group_by="q")
    assert list(result.lines(times=False)) == lines_of_command(rows, tmp_path, "--verifier", "math", "--group-by", "q")
    assert result.advantages[0] > 0 > result.advantages[2]
    assert assay.score(rows, "math").advantages == [None] * 5


def test_demo_data(tmp_path):
    rows = [json.loads(line) for line in (ROOT / "datasets/demo_math.jsonl").read_text().splitlines()]
    rubric = ROOT / "examples/r1.toml"
    assert list(assay.score(rows, rubric).lines(times=False)) == lines_of_command(rows, tmp_path, "--rubric", rubric)


def test_demo_code(tmp_path):
    rows = [json.loads(line) for line in (ROOT / "datasets/demo_code.jsonl").read_text().splitlines()][:4]
    rubric = ROOT / "examples/r1-code.toml"
    expected = [json.loads(line)["rewards"] for line in lines_of_command(rows, tmp_path, "--rubric", rubric)]
    assert assay.score(rows, rubric).rewards == expected


# --- check.


def test_check():
    assert assay.check("1/2", "0.5")
    verdict = assay.check("3", "4")
    assert (verdict.outcome, verdict.score, verdict.reason, bool(verdict)) == ("fail", 0.0, "wrong_value", False)
    assert str(assay.check("1/2", "0.5")) == "pass (ok)"
    assert assay.check(["1", "2"], 2) and assay.check([None, "2"], 2)
    assert assay.check(None, "None").reason == "gold_missing" and assay.check("None", None).outcome == "fault"
    assert assay.check("Paris", "paris.", "qa")
    tests = {"asserts": "assert f(1) == 2"}
    assert assay.check(tests, "def f(x): return x + 1", "code")
    assert assay.check(tests, "def f(x): return x", "code").reason == "wrong_answer"
    assert asyncio.run(assay.check_async("1/2", "0.5"))


@pytest.mark.parametrize("answer", ["", "\x00", "\ud800", "(" * 100_000, "9" * 50_000, "\\boxed{" * 1000, b"\xff3"])
def test_hostile_answers_are_fails_and_never_raise(answer):
    assert assay.check("3", answer).outcome == "fail"
    assert assay.score([{"completion": answer, "answer": "3"}], "math").rewards == [0.0]


def test_what_cannot_be_judged_is_none_with_a_reason():
    result = assay.score([{"completion": "3"}, {"completion": "3", "answer": "\\frac{"}, {"completion": 7, "answer": "7"}, {}], "math")
    assert result.rewards[1:2] == [None] or result.rewards[1] in (None, 0.0)
    assert result.rewards[0] is None and result.reasons[0]
    assert result.rewards[3] is None and "completion" in result.reasons[3]
    assert assay.score([{"completion": "3", "answer": "3"}]).reasons[0].startswith("no_task")


def test_options_of_rows_for_a_verifier_that_does_not_exist():
    rows = [{"completion": "3", "answer": "3", "options": {"maht": {"mode": "bare"}}}, {"completion": "3", "answer": "3", "options": {"A": "3", "B": "4"}}]
    result = assay.score(rows, "math")
    assert result.rewards == [None, 1.0]
    assert "unknown verifier 'maht'" in result.reasons[0] and "did you mean 'math'?" in result.reasons[0]


def test_rows_that_are_none_cost_no_other_its_reward(tmp_path):
    good = {"completion": "3", "answer": "3"}
    result = assay.score([good, None, 7, "no JSON", good], "math")
    assert result.rewards == [1.0, None, None, None, 1.0]
    assert "no object" in result.reasons[1] and result.reasons[3]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(good).encode() + b"\n\n{broken\n" + b'{"completion": "\xff3", "answer": "3"}\r\n')
    result = assay.score(path, "math")
    assert result.rewards[0] == 1.0 and result.rewards[1] is None and result.reasons[1] and len(result) == 3
    with pytest.raises(assay.AssayError, match="rows.jsonl:3"):
        assay.datasets.read_rows(path)


def test_what_counts_as_a_row(tmp_path):
    @dataclasses.dataclass
    class Row:
        completion: str
        answer: str

    named = collections.namedtuple("named", "completion answer")
    lines = ['{"completion": "3", "answer": "3", "q": 1}', '{"completion": "4", "answer": "3", "q": 1}']
    assert assay.score([Row("3", "3"), named("4", "3"), types.MappingProxyType({"completion": "3", "answer": "3"})], "math").rewards == [1.0, 0.0, 1.0]
    assert assay.score(iter(lines), "math", group_by="q").advantages[0] > 0
    pretty = tmp_path / "rows.json"
    pretty.write_text(json.dumps([json.loads(line) for line in lines], indent=2))
    assert assay.score(pretty, "math").rewards == [1.0, 0.0] and len(assay.datasets.read_rows(pretty)) == 2
    with gzip.open(tmp_path / "rows.gz", "wt") as out:
        out.write("\n".join(lines))
    assert assay.score(tmp_path / "rows.gz", "math").rewards == [1.0, 0.0]


# --- Rubrics.


def test_algebra():
    rubric = assay.math() + 0.2 * assay.format() + assay.math(mode="completion")
    assert rubric.labels == ["math", "format", "math_2"]
    row = [{"completion": "3", "answer": "3"}]
    assert assay.score(row, rubric).rewards == [2.0]
    gated = assay.format().gate() + assay.math()
    assert assay.score(row, gated).rewards == [0.0]
    assert assay.score(row, assay.math() + assay.format().penalty() * 0.5).rewards == [0.5]
    assert assay.score(row, (3 * assay.math()).clamp(high=1.5)).rewards == [1.5]
    assert assay.score(row, (assay.math() + assay.format()).with_rule("min")).rewards == [0.0]
    assert assay.score(row, rubric.only("math_2")).rewards == [1.0]
    assert "format" in gated.explain()
    assert sum([assay.math(), 0.5 * assay.format()]).to_dict() == (assay.math() + 0.5 * assay.format()).to_dict()


def test_dict_and_pickle():
    keys = {"name": "two", "rule": "sum", "term": [{"verifier": "math"}, {"verifier": "format", "weight": 0.5}]}
    rubric = pickle.loads(pickle.dumps(assay.Rubric(keys)))
    assert rubric.to_dict() == assay.Rubric(keys).to_dict() and rubric == assay.Rubric(keys) and len({rubric, assay.Rubric(keys)}) == 1
    assert rubric != 2 * rubric and rubric != "two"
    assert assay.Rubric(rubric.to_dict()).to_dict() == rubric.to_dict()


def test_routing_by_task():
    rows = [{"task": "math", "completion": "3", "answer": "3"}, {"task": "nothing", "completion": "3"}]
    rubric = assay.math().when(task="math") + assay.format().unless(task="math")
    assert assay.score(rows, rubric).rewards == [1.0, 0.0]
    assert assay.score(rows).rewards == [1.0, None]


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: assay.Rubric("maths"), "did you mean 'math'"),
        (lambda: assay.math(mod="bare"), "did you mean 'mode'"),
        (lambda: assay.Rubric({"term": []}), "no [[term]]"),
        (lambda: assay.Rubric({"term": [{"verifier": "math", "wieght": 1}]}), "did you mean 'weight'"),
        (lambda: assay.Rubric('[[term]]\nverifier = "math"\nweight = "x"\n'), "rubric:3"),
        (lambda: assay.Rubric("missing.toml"), "cannot read 'missing.toml'"),
        (lambda: assay.Rubric(3), "int"),
        (lambda: assay.math(mode="bear").compiled(), "bear"),
        (lambda: assay.configure(jobs=-1), "jobs"),
        (lambda: assay.term(len, timeout_s=-1), "timeout_s"),
        (lambda: assay.Rubric({"term": [{"verifier": len, "options": {"timeout": 3}}]}), "there is timeout_s"),
        (lambda: assay.Sandbox(isolatoin="none"), "isolatoin"),
        (lambda: assay.Sandbox().run("x", "cobol"), "cobol"),
        (lambda: assay.Sandbox().run(5), "the program is int"),
        (lambda: assay.Sandbox().run("x", stdin=5), "stdin is int"),
        (lambda: assay.Sandbox().run("x", files={"a": None}), "'a' is NoneType"),
        (lambda: assay.Sandbox().run("x", cpu_sm=1), "did you mean 'cpu_ms'"),
        (lambda: assay.score(7), "int"),
        (lambda: assay.score([3]), "row 0"),
        (lambda: assay.score({"completion": ["a"], "answer": ["a", "b"]}, "math"), "unequal"),
        (lambda: assay.Store("/nowhere/x.sqlite"), "x.sqlite"),
    ],
)
def test_bad_configuration_says_what_is_wrong(make, part):
    with pytest.raises(assay.AssayError) as caught:
        make()
    assert part in str(caught.value)


# --- Own functions.


def trl_style(prompts, completions, level, **columns):
    return [len(completion) * one for completion, one in zip(completions, level, strict=True)]


def verl_style(data_source, solution_str, ground_truth, extra_info=None):
    return {"score": float(solution_str == ground_truth)}


async def coroutine(completions, **_):
    await asyncio.sleep(0)
    return [0.25] * len(completions)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (trl_style, 2.0),
        (verl_style, 1.0),
        (coroutine, 0.25),
        (lambda text: 0.5, 0.5),
        (lambda row: float(row["level"]), 2.0),
        (lambda completion, answer: completion == answer, 1.0),
        (lambda text: None, None),
        (lambda text: "no", None),
        (lambda text: math.nan, None),
        (lambda text: 1 / 0, None),
        (lambda completions: [1.0, 2.0], None),
        (functools.partial(lambda completion, k, more=2: k * more, k=0.25), 0.5),
        (lambda completion, level=7, bonus=0.5: level + bonus, 2.5),
        (lambda completions, bonus=0.5: [bonus] * len(completions), 0.5),
        (lambda solution_str, ground_truth, extra_info="none": float(extra_info is None), 1.0),
        (len, 1.0),
    ],
)
def test_own_functions(function, expected):
    result = assay.score([{"completion": "3", "answer": "3", "level": 2}], assay.term(function, label="own"))
    assert result.rewards == [expected]
    assert (result.reasons[0] is None) == (expected is not None)


def test_a_list_of_the_wrong_length_is_wrong_for_every_row():
    result = assay.score([{"completion": text} for text in "abc"], assay.term(lambda completions: [1.0], label="own"), jobs=1)
    assert result.rewards == [None] * 3 and result.verdicts[0]["own"].reason == "reward_bad_length"


def test_own_function_beside_a_verifier():
    rubric = assay.math() + 0.1 * assay.term(trl_style)
    rows = [{"completions": ["3", "4 is"], "answer": "3", "level": 1}]
    result = assay.score(rows, rubric)
    assert result.rewards == [[1.1, 0.4]]
    assert result.parts(0)[0] == {"math": 1.0, "trl_style": 0.1}
    assert assay.score(rows, pickle.loads(pickle.dumps(rubric))).rewards == result.rewards
    faulty = assay.math() + assay.term(lambda text: 1 / 0, label="own").on_fault("skip")
    assert assay.score(rows, faulty).rewards == [[1.0, 0.0]]
    assert "ZeroDivisionError" in assay.score(rows, faulty).verdicts[0][0]["own"].detail


def hangs_on_b(completion):
    while completion == "b":
        pass
    return 0.5


def hangs_in_a_list(completions, **_):
    if "b" in completions:
        time.sleep(3600)
    return [0.5] * len(completions)


def test_own_functions_that_hang_cost_their_rows_a_reward():
    rows = [{"completion": text} for text in "abab"]
    result = assay.score(rows, assay.term(hangs_on_b, timeout_s=2) + assay.term(lambda text: 0.25))
    assert result.rewards == [0.75, None, 0.75, None]
    verdict = result.verdicts[1]["hangs_on_b"]
    assert (verdict.outcome, verdict.reason) == ("fault", "reward_timeout") and "2 s" in verdict.detail
    result = assay.score(rows, {"term": [{"verifier": hangs_in_a_list, "options": {"timeout_s": 2}}]})
    assert result.rewards == [0.5, None, 0.5, None]
    # One that never comes back is given up: the last rows are not even tried.
    result = assay.score(rows * 10, assay.term(lambda text: time.sleep(3600), timeout_s=0.1, label="never"), jobs=1)
    assert result.rewards == [None] * 40 and "no more" in result.verdicts[39]["never"].detail
    assert assay.score(rows, assay.term(lambda text: 0.5, timeout_s=0)).rewards == [0.5] * 4


def test_the_size_of_a_batch_costs_no_row_its_reward():
    def slow(completions, **_):
        time.sleep(0.05 * len(completions))
        return [0.5] * len(completions)

    def raises_at_b(completions, **_):
        if any("b" in completion for completion in completions):
            raise ValueError("b")
        return [0.5] * len(completions)

    rows = [{"completions": ["a"] * 4} for _ in range(10)]
    assert assay.score(rows, assay.term(slow, timeout_s=1), jobs=1).rewards == [[0.5] * 4] * 10
    rows[3]["completions"] = ["a", "b", "a", "a"]
    result = assay.score(rows, assay.term(raises_at_b), jobs=1)
    assert result.rewards == [[0.5] * 4] * 3 + [[0.5, None, 0.5, 0.5]] + [[0.5] * 4] * 6


def test_own_functions_that_swallow_all_exceptions_or_leave():
    def stubborn(completion):
        while completion == "b":
            try:
                while True:
                    pass
            except Exception:
                continue
        return 0.5

    rows = [{"completion": text} for text in "ab"]
    assert assay.score(rows, assay.term(stubborn, timeout_s=2)).rewards == [0.5, None]
    result = assay.score(rows, lambda completion: sys.exit(3) if completion == "b" else 1.0)
    assert result.rewards == [1.0, None] and "SystemExit" in result.verdicts[1]["<lambda>"].detail


# --- Tables.


def test_tables():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    columns = {"completion": ["3", None, "4"], "answer": ["3", "3", "3"], "level": [1.0, float("nan"), 3.0]}
    frame = pandas.DataFrame(columns, index=["x", "y", "z"])
    expected = [1.0, None, 0.0]
    assert assay.score(columns, "math").rewards == expected
    result = assay.score(frame, "math")
    assert result.rewards == expected
    assert assay.score(pyarrow.table(columns), "math").rewards == expected
    table = result.to_pandas()
    assert list(table.columns) == ["row", "sample", "reward", "advantage", "reason", "math", "math_outcome", "math_reason"]
    assert list(table.index) == ["x", "y", "z"]
    assert result.to_arrow().column("reward").to_pylist() == expected
    assert "<table>" in result._repr_html_() and "math" in repr(result)
    assert [json.loads(line).get("reward") for line in result.to_jsonl().splitlines()] == expected
    groups = assay.score({"completions": [["3", "4"], ["5"]], "answer": ["3", "5"]}, "math")
    assert groups.rewards == [[1.0, 0.0], [1.0]]
    assert len(groups.to_pandas()) == 3
    assert groups[0]["rewards"] == groups[-2]["rewards"] == [1.0, 0.0] and next(iter(groups)) == groups[0]
    with pytest.raises(IndexError):
        groups[2]
    kept = pickle.loads(pickle.dumps(result))
    for one in (lambda r: r.rewards, lambda r: r.reasons, lambda r: r.verdicts, lambda r: r.parts(0), list, repr, lambda r: r._repr_html_(),
                lambda r: list(r.lines(times=False)), lambda r: r.to_columns(), lambda r: list(r.to_pandas().index)):
        assert one(kept) == one(result)
    mixed = assay.score([{"completions": ["3", "4"], "answer": "3", "task": "math"}, {"answer": "3", "task": "math"},
                         {"completion": "x", "answer": "x", "task": "exact"}])
    assert mixed.to_columns() == {
        "row": [0, 0, 1, 2], "sample": [0, 1, 0, 0], "reward": [1.0, 0.0, None, 1.0], "reason": [None, None, mixed.reasons[1], None],
        "advantage": [*mixed.advantages[0], None, None],
        "math": [1.0, 0.0, None, None], "math_outcome": ["pass", "fail", None, None], "math_reason": ["ok", "wrong_value", None, None],
        "exact": [None, None, None, 1.0], "exact_outcome": [None, None, None, "pass"], "exact_reason": [None, None, None, "ok"]}


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [{"prompt": [{"role": "user", "content": "2+2?"}], "completions": ["4", "5"], "answer": "4", "extra_info": {"index": i}} for i in range(5)]
    assay.datasets.write_parquet(rows, tmp_path / "a.parquet")
    assert assay.score(tmp_path / "a.parquet", "math").rewards == [[1.0, 0.0]] * 5
    lines = subprocess.run([sys.executable, "-m", "assay.parquet", tmp_path / "a.parquet", "-"], capture_output=True, check=True, text=True)
    assert [json.loads(line)["answer"] for line in lines.stdout.splitlines()] == ["4"] * 5
    assay.datasets.write_parquet(assay.score(rows, "math"), tmp_path / "scored.parquet")
    assert assay.datasets.read_rows(tmp_path / "scored.parquet")[1]["reward"] == 0.0
    piped = subprocess.run([sys.executable, "-m", "assay.parquet", "-", tmp_path / "b.parquet"], input=lines.stdout, check=True, text=True)
    assert piped.returncode == 0 and assay.datasets.read_rows(tmp_path / "b.parquet") == assay.datasets.read_rows(tmp_path / "a.parquet")
    broken = subprocess.run([sys.executable, "-m", "assay.parquet", "/nowhere.parquet", "-"], capture_output=True, check=False, text=True)
    assert broken.returncode == 2 and "cannot read" in broken.stderr


# --- Sandbox and store.


def test_sandbox():
    sandbox = assay.Sandbox()
    result = sandbox.run("import sys\nsys.stdout.buffer.write(bytes([255, 65]))\nprint(open('a.txt').read(), input())", stdin="in", files={"a.txt": b"beside"})
    assert result.ok and result.stdout_bytes == b"\xffAbeside in\n" and result.stdout.startswith("\ufffdA")
    assert sandbox.run(b"print(input())", stdin=bytearray(b"x")).stdout == "x\n"
    assert pickle.loads(pickle.dumps(assay.Sandbox(no_cache=True))).run("print(1)").ok
    assert sandbox.run("while True: pass", cpu_ms=200).cause == "cpu_limit"
    assert sandbox.run("import sys; sys.exit(3)").exit_code == 3
    assert sandbox.judge("```python\ndef f(): return 2\n```", {"asserts": "assert f() == 2"})
    assert sandbox.judge("def f(): return 3", {"asserts": "assert f() == 2"}).outcome == "fail"
    assert sandbox.judge("def f(): return 3", {"nothing": 1}).outcome == "fault"
    for tests in ("assert f() == 2", ["assert f() == 2", "assert f() > 1"], '{"asserts": "assert f() == 2"}'):
        assert sandbox.judge("def f(): return 2", tests) and assay.check(tests, "def f(): return 2", "code")
        assert not sandbox.judge("def f(): return 3", tests)
    written = sandbox.run("open('b', 'wb').write(bytes([255])); open('c', 'w')", fetch_files=["b", "missing", "../c"])
    assert written.ok and written.files == {"b": b"\xff"}
    assert asyncio.run(sandbox.run_async("print(1)")).stdout == "1\n"
    assert sandbox.doctor()["languages"]["python"]


def test_packages_of_this_environment_are_there_where_versions_agree():
    report = assay.doctor()
    same = report["python"].split(".")[:2] == [str(n) for n in sys.version_info[:2]]
    result = assay.Sandbox().run("import pandas" if same else "print(1)", wall_ms=60_000, cpu_ms=30_000, memory_mib=2048)
    assert result.ok, result.stderr


def test_store(tmp_path):
    path = tmp_path / "a.sqlite"
    assay.score(ROWS, "math", store=path, run="one")
    store = assay.Store(path)
    assert [run["name"] for run in store.runs()] == ["one"] and store.runs()[0]["finished"]
    groups = store.groups("one")
    assert [len(group["samples"]) for group in groups] == [1, 3, 0, 1]
    assert groups[1]["samples"][1]["completion"] == "<think>a</think>4" and groups[1]["samples"][1]["reward"] == 1.0
    assert groups[2]["error"]
    with assay.Store(path, write=True) as writer:
        writer.add(assay.score(ROWS, "math", keep_texts=True), "two")
        with pytest.raises(assay.AssayError):
            writer.add(assay.score(ROWS, "math"), "three")
    with pytest.raises(assay.AssayError):
        store.groups("nothing")
    stats = subprocess.run([BUILD / "assay", "stats", "--store", path, "--run", "two"], capture_output=True, text=True, check=False)
    assert stats.returncode == 0, stats.stderr


# --- The package itself.


def test_verifiers():
    names = [info.name for info in assay.verifiers()]
    assert "math" in names and "code" in names
    assert assay.verifiers()[names.index("math")].options["mode"]["choices"]


def test_import_starts_nothing_and_is_light():
    code = (
        "import sys, threading; import assay; "
        "print(threading.active_count(), any(m in sys.modules for m in ('torch', 'pandas', 'numpy', 'pyarrow', 'asyncio')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert out.stdout.split() == ["1", "False"]


def test_types():
    pytest.importorskip("mypy")
    out = subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", "/dev/null"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert out.returncode == 0, out.stdout


def test_module_exports_nothing_of_ours():
    module = next((BUILD / "python" / "assay").glob("_core*.so"))
    out = subprocess.run(["nm", "-D", "--defined-only", "-C", module], capture_output=True, text=True, check=True)
    assert not [line for line in out.stdout.splitlines() if "assay::" in line]
