"""Scores examples/rewards and examples/plugin with `assay` as their pages say, and compares what comes out with what they promise.

    examples_check.py SOURCE_DIR BUILD_DIR [--reasoning-gym VENV]

With --reasoning-gym: rows of that package (PyPI; the environment is made where it is missing), scored by its own scorers; says
ASSAY_SKIPPED_WHOLE_PROGRAM where it cannot be installed.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

# (rewards by row, reasons by row and sample of the named term)
RIGHT = {"trl": [[1.5, 1.0, 0.5, 0.0], [1.0, 0.0]],
         "verl": [[1.0, 0.1, 0.0], [None]],
         "keywords": [[1.0, 1 / 3, 0.0], [None]],
         "faulty_rewards": [[4.25, None, 4.25], [4.25]],
         "faulty_plugin": [[1, None, 1, None, None, None, 1], [1, 1, None]]}
REASONS = {"faulty_rewards": {"raises": "reward_raised", "nan": "reward_bad_value", "string": "reward_bad_value",
                              "short_list": "reward_bad_length", "hangs": "reward_timeout"}}


def score(assay, rubric, rows):
    run = subprocess.run([assay, "score", rows, "--rubric", rubric], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 3):
        sys.exit(f"{rubric}: exit code {run.returncode}\n{run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()], run.stderr


def same(rewards, wanted):
    return all(a == b or (a is not None and b is not None and abs(a - b) < 1e-9)
               for row, wanted_row in zip(rewards, wanted, strict=True) for a, b in zip(row, wanted_row, strict=True))


def check_examples(source, build):
    assay = build / "assay"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ("keywords.toml", "faulty.toml", "rows.jsonl", "faulty_rows.jsonl"):
            shutil.copy(source / "examples" / "plugin" / name, folder)
        for name in ("keywords.so", "faulty.so"):
            shutil.copy(build / "examples" / name, folder)
        rewards = source / "examples" / "rewards"
        cases = {"trl": (rewards / "trl.toml", rewards / "trl_rows.jsonl"), "verl": (rewards / "verl.toml", rewards / "verl_rows.jsonl"),
                 "faulty_rewards": (rewards / "faulty.toml", rewards / "faulty_rows.jsonl"),
                 "keywords": (folder / "keywords.toml", folder / "rows.jsonl"),
                 "faulty_plugin": (folder / "faulty.toml", folder / "faulty_rows.jsonl")}
        for name, (rubric, rows) in cases.items():
            lines, summary = score(assay, rubric, rows)
            got = [line["rewards"] for line in lines]
            if not same(got, RIGHT[name]):
                sys.exit(f"{name}: rewards {got}, not {RIGHT[name]}\n{summary}")
            for term, reason in REASONS.get(name, {}).items():
                verdict = lines[0]["verdicts"][1][term]
                if verdict["reason"] != reason or summary.count("ZeroDivisionError: ") != 1:
                    sys.exit(f"{name}: {verdict}\n{summary}")
            print(f"{name}: as promised")


JUDGED = [{"task": "math", "prompt": "What is 6 times 7?", "answer": "42",
           "completions": ["<think>\nSix sevens.\n</think>\nThe answer is \\boxed{42}.", "<think>\nSix sevens.\n</think>\nThe answer is \\boxed{41}."]},
          {"task": "letters", "prompt": "Write to a friend.", "completions": ["<think>\nworth 2\n</think>\nDear friend, this letter is worth 9 to me."]}]


def check_last_stage(source, build):
    """datasets/rubrics/r1-final.toml with a judge that gives the number behind the last "worth"."""
    server = subprocess.Popen([sys.executable, source / "tests" / "verifiers" / "own" / "judge_server.py"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            rows, rubric = pathlib.Path(folder) / "rows.jsonl", pathlib.Path(folder) / "rubric.toml"
            rows.write_text("".join(json.dumps(row) + "\n" for row in JUDGED))
            final = (source / "datasets" / "rubrics" / "r1-final.toml").read_text()
            rubric.write_text(final.replace("http://localhost:8000/v1", f"http://127.0.0.1:{port}/plain/v1"))
            lines, summary = score(build / "assay", rubric, rows)
    finally:
        server.kill()
        server.wait()
    # Right, language, form, readability; the same without what is right; twice 0.9 and the three.
    if not same([line["rewards"] for line in lines], [[1.5, 0.5], [2.3]]):
        sys.exit(f"r1-final: {[line['rewards'] for line in lines]}\n{summary}")
    print("r1-final: judged by rules where rules apply, else by the server")


ROWS = r"""
import json, sys
import reasoning_gym
for name in ("chain_sum", "leg_counting", "spell_backward", "basic_arithmetic"):
    for entry in reasoning_gym.create_dataset(name, size=5, seed=7):
        scorer = reasoning_gym.get_score_answer_fn(name)
        replies = [entry["answer"], "12345", "no idea at all"]
        texts = [f"<think>so</think><answer>{reply}</answer>" for reply in replies]
        entry["metadata"]["source_dataset"] = name
        print(json.dumps({**entry, "completions": texts, "wanted": [scorer(reply, entry) for reply in replies]}))
"""


def check_reasoning_gym(source, build, venv):
    sys.path.insert(0, str(source / "scripts"))
    import virtual_env  # pylint: disable=import-outside-toplevel

    python = virtual_env.python_of(venv, ["reasoning-gym==0.1.25"])
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM reasoning-gym cannot be installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        rows, rubric = pathlib.Path(folder) / "rows.jsonl", pathlib.Path(folder) / "rubric.toml"
        rows.write_text(subprocess.run([python, "-c", ROWS], capture_output=True, text=True, check=True).stdout)
        example = (source / "examples" / "rewards" / "reasoning_gym.toml").read_text()
        rubric.write_text(example.replace('interpreter = "python3"', f'interpreter = "{python}"'))
        lines, summary = score(build / "assay", rubric, rows)
        if not lines or not same([line["rewards"] for line in lines], [line["wanted"] for line in lines]):
            sys.exit(f"reasoning-gym: other scores than its own\n{summary}")
        print(f"reasoning-gym: {len(lines)} rows scored as by the package itself")


if __name__ == "__main__":
    SOURCE, BUILD = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    if "--reasoning-gym" in sys.argv:
        check_reasoning_gym(SOURCE, BUILD, sys.argv[sys.argv.index("--reasoning-gym") + 1])
    else:
        check_examples(SOURCE, BUILD)
        check_last_stage(SOURCE, BUILD)
