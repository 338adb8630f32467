#!/usr/bin/env python3
"""Does the verifier `timing` rank the faster of two programs faster? Pairs of programs that solve one problem, slow and fast (PIE's), which come
without inputs: inputs are made by letting the slow program ask for them, in the sandbox, and kept where both print the same.

    timing_pairs.py PAIRS.jsonl[.gz] --build build [--pairs N] [--seed S] [--keep ROWS.jsonl]

The measured ratio of a pair is that of CPU times of `assay run`, the least of nine runs in turn less the least of an empty
program's. Prints one
JSON line: pairs measured, those above 1.5, how many of them are ranked right by scores, how many rankings repeat in a second run.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

# Runs before the program: its input() and sys.stdin.readline() make up lines that fit how the asking source line reads them.
ASKS = r'''
import builtins, random, re, sys
def _start(source, scale, seed):
    rng, lines, said = random.Random(seed), source.split("\n"), []
    def number():
        return rng.randint(max(1, scale // 2), scale)
    def made(text, count):
        if count:
            return " ".join(str(number()) for _ in range(count))
        if "split" in text or re.search(r"map\(\s*int\s*,\s*(list\()?input", text):
            return " ".join(str(rng.randint(1, scale)) for _ in range(_start.size))
        if "int(" in text or "float(" in text or "eval(" in text:
            _start.size = number()
            return str(_start.size)
        return "".join(rng.choice("abcde") for _ in range(_start.size))
    def ask(*_):
        frame, texts, count = sys._getframe(1), [], 0
        for _ in range(4):
            if frame is None:
                break
            if frame.f_code.co_filename == "asked.py":
                text = lines[frame.f_lineno - 1]
                texts.append(text)
                names = re.match(r"\s*(?:for\s+)?([\w\[\]]+(?:\s*,\s*[\w\[\]]+)+)\s*(?:=[^=]|in\b)", text)
                if names and "*" not in text.split("=")[0]:
                    count = names.group(1).count(",") + 1
                    break
            frame = frame.f_back
        line = made(" ".join(texts), count)
        if count:
            _start.size = int(line.split()[0])
        said.append(line)
        if sum(map(len, said)) > 1500000:
            raise SystemExit(7)
        return line
    class Input:
        def readline(self):
            return ask() + "\n"
        def __iter__(self):
            raise SystemExit(7)
        read = readlines = fileno = __iter__
    _start.size = 5
    builtins.input, sys.stdin = ask, Input()
    real, sys.stdout = sys.stdout, type("Nowhere", (), {"write": lambda self, text: len(text), "flush": lambda self: None})()
    sys.setrecursionlimit(200000)
    try:
        exec(compile(source, "asked.py", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if end.code == 7:
            raise
    real.write("\n".join(said) + "\n")
    real.flush()
'''


class Box:
    """`assay run` on one program."""

    def __init__(self, build):
        self.assay = str(pathlib.Path(build) / "assay")
        self.folder = tempfile.TemporaryDirectory()

    def run(self, program, text="", cpu_ms=3000):
        folder = pathlib.Path(self.folder.name)
        (folder / "p.py").write_text(program)
        (folder / "in").write_text(text)
        report = folder / "report"
        done = subprocess.run([self.assay, "run", "--cpu-ms", str(cpu_ms), "--stdin", folder / "in", "--report", report, folder / "p.py"],
                              capture_output=True, check=False)
        said = json.loads(report.read_text()) if done.returncode in (0, 1) else {"cause": "fault"}
        return said["cause"] == "ok", said.get("stdout", ""), said.get("cpu_ms", 0.0)


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def make_input(box, slow, fast, seed):
    """The largest input, of a few scales, that both programs take and answer alike; None if there is none."""
    best = None
    for scale in (6, 60, 1000, 30000):
        ok, text, _ = box.run(f"{ASKS}\n_start({slow!r}, {scale}, {seed})\n")
        if not ok:
            break
        ok_slow, out_slow, _ = box.run(slow, text)
        ok_fast, out_fast, _ = box.run(fast, text)
        if not (ok_slow and ok_fast and out_slow == out_fast and out_slow.strip()):
            break
        best = (text, out_slow)
    return best


def measured_ratio(box, slow, fast, text, runs=9):
    times = {"slow": [], "fast": [], "empty": []}
    for _ in range(runs):
        for name, program in (("slow", slow), ("fast", fast), ("empty", "pass\n")):
            ok, _, cpu_ms = box.run(program, text)
            if ok:
                times[name].append(cpu_ms)
    if not all(times.values()):
        return None
    empty = min(times["empty"])
    cost = {name: max(min(times[name]) - empty, 0.02) for name in ("slow", "fast")}
    return cost["slow"] / cost["fast"], cost


def rows_of(pairs, box, wanted, seed):
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    tried, rows = 0, []
    for at in order:
        if len(rows) >= wanted:
            break
        tried += 1
        pair = pairs[at]
        slow, fast = pair["input"], pair["target"]
        made = make_input(box, slow, fast, at)
        if made is None:
            continue
        measured = measured_ratio(box, slow, fast, made[0])
        if measured is None:
            continue
        ratio, cost = measured
        rows.append({"id": f"pie-{at}", "ratio": ratio, "cost": cost,
                     "verification_info": {"test_cases": [{"input": made[0], "output": made[1]}]},
                     "completions": [f"```python\n{text}\n```" for text in (slow, fast)]})
        print(f"\r{len(rows)} of {tried} pairs have inputs", end="", file=sys.stderr)
    print(file=sys.stderr)
    return rows, tried


def score(build, rows, folder):
    path = pathlib.Path(folder) / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run([str(pathlib.Path(build) / "assay"), "score", path, "--verifier", "timing", "-j", "1", "--no-progress", "-q"],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(done.stderr)
    return [json.loads(line)["rewards"] for line in done.stdout.splitlines()]


def ranking(rewards):
    slow, fast = rewards
    return None if slow is None or fast is None else (fast > slow) - (fast < slow)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--build", default="build")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="rows with inputs and ratios: read where the file is there, else written")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.keep and os.path.exists(args.keep):
            rows, tried = read(args.keep), None
        else:
            rows, tried = rows_of(read(args.file), Box(args.build), args.pairs, args.seed)
            if args.keep:
                pathlib.Path(args.keep).write_text("".join(json.dumps(row) + "\n" for row in rows))
        first, second = (score(args.build, rows, folder) for _ in range(2))
    # An old program that is the faster one here counts likewise.
    clear = [(row, ranking(a), ranking(b)) for row, a, b in zip(rows, first, second) if not 1 / 1.5 <= row["ratio"] <= 1.5]
    right = [row for row, a, _ in clear if a == (1 if row["ratio"] > 1 else -1)]
    same_clear = sum(a == b for _, a, b in clear)
    same = sum(ranking(a) == ranking(b) for a, b in zip(first, second))
    for row, a, b in clear:
        if row not in right or a != b:
            print(f"{row['id']}: ratio {row['ratio']:.2f} ({row['cost']}), ranked {a}, then {b}", file=sys.stderr)
    print(json.dumps({"pairs": len(rows), "tried": tried, "above_1.5": len(clear), "ranked_right": len(right),
                      "ranking_repeats": same_clear, "ranking_repeats_of_all": same}))
    sys.exit(0 if clear and len(right) >= 0.95 * len(clear) and same_clear >= 0.99 * len(clear) else 1)


if __name__ == "__main__":
    main()
