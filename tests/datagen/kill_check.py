"""Kills over a whole run (import, score, scattered groups, select, export): the data set that comes out is, byte for byte, the one of a run in peace.

    kill_check.py BUILD_DIR [KILLS]
"""

import json
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile

ROWS, SAMPLES = 1500, 8


def rows(rng):
    words = ["".join(rng.choice("abcdefghijklmnop") for _ in range(rng.randint(2, 8))) for _ in range(400)]
    for i in range(ROWS):
        replies = [f"<think>\n{' '.join(rng.choices(words, k=60))}\n</think>\n\\boxed{{{i + rng.randint(0, 1)}}}" for _ in range(SAMPLES)]
        yield {"id": f"p{i}", "task": "math", "prompt": f"What is {i}? {' '.join(rng.choices(words, k=10))}", "answer": str(i),
               "completions": replies}


def steps(source, folder):
    store = folder / "s.sqlite"
    scored = folder / "scored.jsonl"
    yield ["import", source, "--store", store, "--run", "raw"]
    yield ["score", source, "--verifier", "math,format", "-o", scored, "--store", store, "--run", "r", "--no-times", "--resume"]
    yield ["score", source.parent / "flat.jsonl", "--group-by", "id", "--verifier", "math,format", "-o", folder / "grouped.jsonl",
           "--store", store, "--run", "g", "--no-times", "--resume"]
    yield ["select", "--store", store, "--run", "r", "--strategy", "all-correct", "--near-duplicates", "--split", "train=0.9", "--dataset",
           "d", "--replace"]
    yield ["export", "--store", store, "--dataset", "d", "--format", "trl-sft", "-o", folder / "d.jsonl.zst"]


def run(assay, source, folder, kills, rng):
    """Runs every step to its end; `kills` times one is killed at a random moment first. How often that hit."""
    hit = 0
    plan = list(steps(source, folder))
    for number, step in enumerate(plan):
        for _ in range(kills * (number + 1) // len(plan) - kills * number // len(plan)):
            process = subprocess.Popen([assay, *map(str, step), "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(rng.uniform(0.0, 0.6) ** 2 * 2)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                hit += 1
        done = subprocess.run([assay, *map(str, step), "-q"], capture_output=True, text=True, check=False)
        if done.returncode != 0 and "nothing to resume" not in done.stderr:
            # A run that was whole before the last kill has nothing left to go on with.
            sys.exit(f"assay {step[0]}: {done.returncode}: {done.stderr.strip()}")
    return hit


def contents(folder):
    with sqlite3.connect(folder / "s.sqlite") as db:
        dump = "\n".join(line for line in db.iterdump() if "INTO \"exports\"" not in line)
    return (folder / "d.jsonl.zst").read_bytes(), dump, (folder / "grouped.jsonl").read_bytes()


def main():
    assay = pathlib.Path(sys.argv[1]).resolve() / "assay"
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    rng = random.Random(11)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        source = folder / "in.jsonl"
        groups = list(rows(rng))
        source.write_text("".join(json.dumps(row) + "\n" for row in groups))
        with open(folder / "flat.jsonl", "w", encoding="utf-8") as flat:  # the lines of a group stand apart
            for k in range(SAMPLES):
                for row in groups:
                    flat.write(json.dumps({**{key: row[key] for key in ("id", "task", "prompt", "answer")},
                                           "completion": row["completions"][k]}) + "\n")
        results = []
        for name, count in (("calm", 0), ("killed", kills)):
            (folder / name).mkdir()
            hit = run(str(assay), source, folder / name, count, rng)
            results.append(contents(folder / name))
    same = [a == b for a, b in zip(*results)]
    said = ", ".join(f"{what} {'equal' if one else 'DIFFERS'}" for what, one in zip(("file", "store", "groups"), same))
    print(f"{kills} kills, {hit} of them in the middle: {said}")
    sys.exit(not all(same))


if __name__ == "__main__":
    main()
