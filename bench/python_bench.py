"""The Python package beside the command line, on the same rows: one JSON line.

    python bench/python_bench.py [--rows 1000000] [--build build] [--threads 8]

`frame_seconds`: assay.score on a pandas table of short maths replies, all in. `threads_rate`: rows a second from that many Python threads that
each score their share. `command_rate`: rows a second of `assay score` on as many cores, by its own clock. `import_ms`: of `import assay` in
a fresh interpreter, the least of five. Run with the package importable (build/python on PYTHONPATH, or installed).
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import assay
import pandas


def table(count):
    draw = random.Random(7)
    golds = [str(draw.randrange(1000)) for _ in range(count)]
    forms = ("The answer is {}.", "\\boxed{{{}}}", "So we get {}", "\\frac{{{}}}{{1}}")
    said = [draw.choice(forms).format(gold if draw.random() < 0.6 else draw.randrange(1000)) for gold in golds]
    return pandas.DataFrame({"completion": said, "answer": golds})


def import_ms():
    code = "import time; t = time.perf_counter(); import assay; print((time.perf_counter() - t) * 1000)"
    return min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(5))


def command_rate(frame, build):
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows.jsonl"
        frame.to_json(rows, orient="records", lines=True)
        call = [build / "assay", "score", rows, "--verifier", "math", "-o", pathlib.Path(folder) / "out.jsonl", "--output-format", "json"]
        summary = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stderr.splitlines()[-1])
    return summary["samples"] / summary["seconds"]


def threads_rate(frame, threads):
    parts = [frame.iloc[at::threads] for at in range(threads)]
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: assay.score(part, "math"), parts))
    return len(frame) / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    frame = table(options.rows)
    begin = time.perf_counter()
    rewards = assay.score(frame, "math").rewards
    seconds = time.perf_counter() - begin
    part = frame.iloc[: min(len(frame), 200_000)]
    command = command_rate(part, options.build)
    threads = threads_rate(part, options.threads)
    print(json.dumps({"bench": "python", "rows": len(frame), "frame_seconds": round(seconds, 2), "passed": sum(map(bool, rewards)),
                      "threads": options.threads, "threads_rate": round(threads), "command_rate": round(command),
                      "threads_share": round(threads / command, 3), "import_ms": round(import_ms(), 1)}))


if __name__ == "__main__":
    main()
