"""Data sets at size: a million samples through import, score, select, near duplicates, decontamination and export; with --insert, ten million rows
straight into a store and a selection from them. One JSON line: for every step seconds of CPU and wall, peak memory, and sizes.

    bench/dataset_scale.py --build build [--samples 1000000] [--decontaminate NAME=FILE ..] [--folder /var/tmp]
    bench/dataset_scale.py --build build --insert 10000000

The samples are made up: 8 replies of 80 words to each sum, 60 % of them right, one in twenty near another one. Aims on two free cores: all
steps of a million together in 300 s and 2 GB; 100,000 rows inserted a second, a selection from ten million in 60 s. The machine's load is in
the line: with other work beside it, CPU seconds are what can be compared.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write_samples(path, samples):
    rng = random.Random(5)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9))) for _ in range(5000)]
    base = [rng.choices(words, k=80) for _ in range(max(10, samples // 500))]
    with open(path, "w", encoding="utf-8") as out:
        for number in range(samples // 8):
            a, b = rng.randint(2, 9999), rng.randint(2, 9999)
            replies = []
            for _ in range(8):
                text = list(rng.choice(base)) if rng.random() < 0.05 else rng.choices(words, k=80)
                text[rng.randrange(len(text))] = "tweak"
                answer = a + b if rng.random() < 0.6 else a + b + rng.randint(1, 9)
                replies.append(f"<think>\n{' '.join(text)}\n</think>\nThe answer is \\boxed{{{answer}}}.")
            row = {"id": f"p{number}", "task": "math", "prompt": f"What is {a} plus {b}? {' '.join(rng.choices(words, k=15))}",
                   "answer": str(a + b), "completions": replies, "finish_reasons": ["stop"] * 8}
            out.write(json.dumps(row) + "\n")


def timed(command):
    """What a program spent, its children included, and the text that it printed."""
    start = time.monotonic()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.close(read)
        try:
            os.execv(command[0], command)
        finally:
            os._exit(127)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)}: {os.waitstatus_to_exitcode(status)}")
    spent = {"wall_s": round(time.monotonic() - start, 2), "cpu_s": round(usage.ru_utime + usage.ru_stime, 2), "peak_mib": usage.ru_maxrss // 1024}
    return spent, text


def million(options, folder):
    assay = str(options.build.resolve() / "assay")
    rows, store = str(folder / "rows.jsonl"), str(folder / "s.sqlite")
    write_samples(rows, options.samples)
    near = [word for one in options.decontaminate for word in ("--decontaminate", one)]
    steps = {
        "import": ["import", rows, "--store", str(folder / "raw.sqlite"), "--run", "raw"],
        "score": ["score", rows, "--verifier", "math,format", "-o", "/dev/null", "--store", store, "--run", "r", "-j2"],
        "select": ["select", "--store", store, "--run", "r", "--strategy", "all-correct", "--near-duplicates", *near, "--dataset", "d", "-j2"],
        "export": ["export", "--store", store, "--dataset", "d", "--format", "trl-sft", "-o", str(folder / "d.jsonl")]}
    result = {"samples": options.samples, "input_bytes": os.path.getsize(rows), "steps": {}}
    for name, words in steps.items():
        result["steps"][name], _ = timed([assay, *words, "-q"])
    spent = result["steps"].values()
    result |= {"wall_s": sum(s["wall_s"] for s in spent), "cpu_s": sum(s["cpu_s"] for s in spent), "peak_mib": max(s["peak_mib"] for s in spent),
               "store_bytes": os.path.getsize(store), "export_bytes": os.path.getsize(folder / "d.jsonl")}
    return result


def insert(options, folder):
    """assay_bench_store writes the rows through the store as scoring does, and leaves them."""
    build = options.build.resolve()
    spent, text = timed([str(build / "assay_bench_store"), str(options.insert), "64", "1", str(folder), "keep"])
    said = json.loads(text)
    store = said.pop("store")
    result = {"insert": said | spent, "store_bytes": os.path.getsize(store)}
    for strategy in ("all-correct", "best-of-n"):
        result[f"select {strategy}"], _ = timed([str(build / "assay"), "select", "--store", store, "--run", "bench", "--strategy", strategy,
                                                "--dataset", strategy, "-j2", "-q"])
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--insert", type=int, default=0, help="instead: so many rows into a store, and a selection")
    parser.add_argument("--decontaminate", action="append", default=[], help="NAME=FILE, as assay select takes it")
    parser.add_argument("--folder", default="/var/tmp")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-scale-", dir=options.folder))
    load = os.getloadavg()[0]
    try:
        result = insert(options, folder) if options.insert else million(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"bench": "dataset_scale", "load": [round(load, 1), round(os.getloadavg()[0], 1)], "cores": os.cpu_count()} | result))


if __name__ == "__main__":
    main()
