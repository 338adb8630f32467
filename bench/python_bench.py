"""The Python package beside the command line, on the same rows: one JSON line.

    python bench/python_bench.py [--rows 1000000] [--build build] [--threads 8]

`frame_seconds`: assay.score on a pandas table of short maths replies, all in. `threads_rate`: rows a second from that many Python threads that
each score their share. `command_rate`: rows a second of `assay score` on as many cores, by its own clock. `import_ms`: of `import assay` in
a fresh interpreter, the least of five. `table_us`: Result.to_pandas, a sample. What ends in `cpu`, `cpu_us` (a row) or `cpu_ms` is CPU time of all
threads, which a busy machine changes little: `threads_cpu_share` is the command's by the threads'. Run with the package importable
(build/python on PYTHONPATH, or installed).
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import resource
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


def cpu_seconds(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def timed(call):
    """What it gave, seconds by the clock, seconds of this process's CPUs."""
    begin, cpu = time.perf_counter(), cpu_seconds(resource.RUSAGE_SELF)
    result = call()
    return result, time.perf_counter() - begin, cpu_seconds(resource.RUSAGE_SELF) - cpu


def import_ms(clock):
    code = f"import time; t = time.{clock}(); import assay; print((time.{clock}() - t) * 1000)"
    return min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(5))


def command_rate(frame, build):
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows.jsonl"
        frame.to_json(rows, orient="records", lines=True)
        call = [build / "assay", "score", rows, "--verifier", "math", "-o", pathlib.Path(folder) / "out.jsonl", "--output-format", "json"]
        cpu = cpu_seconds(resource.RUSAGE_CHILDREN)
        summary = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stderr.splitlines()[-1])
        cpu = cpu_seconds(resource.RUSAGE_CHILDREN) - cpu
    return summary["samples"] / summary["seconds"], cpu


def score_on_threads(frame, threads):
    parts = [frame.iloc[at::threads] for at in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: assay.score(part, "math"), parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    frame = table(options.rows)
    result, seconds, cpu = timed(lambda: assay.score(frame, "math"))
    passed = sum(map(bool, result.rewards))
    _, table_seconds, _ = timed(result.to_pandas)
    part = frame.iloc[: min(len(frame), 200_000)]
    command, command_cpu = command_rate(part, options.build)
    _, threads_seconds, threads_cpu = timed(lambda: score_on_threads(part, options.threads))
    threads = len(part) / threads_seconds
    print(json.dumps({
        "bench": "python", "rows": len(frame), "frame_seconds": round(seconds, 2), "frame_cpu": round(cpu, 2), "passed": passed,
        "table_us": round(1e6 * table_seconds / len(frame), 2), "threads": options.threads, "threads_rate": round(threads),
        "command_rate": round(command), "threads_share": round(threads / command, 3),
        "threads_cpu_us": round(1e6 * threads_cpu / len(part), 2), "command_cpu_us": round(1e6 * command_cpu / len(part), 2),
        "threads_cpu_share": round(command_cpu / threads_cpu, 3), "import_ms": round(import_ms("perf_counter"), 1),
        "import_cpu_ms": round(import_ms("process_time"), 1)}))


if __name__ == "__main__":
    main()
