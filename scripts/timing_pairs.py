#!/usr/bin/env python3
"""Does the verifier `timing` rank the faster of two programs faster? On pairs with inputs, as timing_inputs.py makes them.

    timing_pairs.py --rows ROWS.jsonl --build build [--results RESULTS.jsonl] [--seconds S] [--pairs N] [--python VENV]

The measured ratio of a pair is that of the CPU times of whole runs in a box, in turn, and the least of them: the interpreter's start is in
both, as in PIE's own figures (`net`: without it). It is above 1.5 if it is so in the even and in the odd runs. Then `assay score` ranks
the pair, twice. Results are written as they come, and a file of them is gone on with. Prints one JSON line: pairs measured, those above 1.5,
how many of these are ranked right, how many rankings repeat. A quiet machine is needed (`load`).
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import timing_inputs

RUNS = (6, 16)  # at least, at most; even, so that both halves have as many
ENOUGH_MS = 400  # of the slow program, after which the least number of runs will do
CHUNK = 10  # pairs that one `assay score` ranks
CLEAR = 1.5


def measured(server, row):
    """CPU milliseconds of whole runs: {"slow": [even, odd], ..}, each the least of its half; None where a run does not end well."""
    slow, fast = (text.removeprefix("```python\n").removesuffix("\n```") for text in row["completions"])
    text = row["verification_info"]["test_cases"][0]["input"]
    least, spent = collections.defaultdict(lambda: [float("inf")] * 2), 0.0
    for at in range(RUNS[1]):
        if at >= RUNS[0] and at % 2 == 0 and spent > ENOUGH_MS:
            break
        for name, program in (("slow", slow), ("fast", fast), ("empty", "pass\n")):
            ok, _, cpu_ms = server.run(program, text, 10000)
            if not ok:
                return None
            if cpu_ms <= 0:
                continue  # ended before it was looked at
            least[name][at % 2] = min(least[name][at % 2], cpu_ms)
            spent += cpu_ms if name == "slow" else 0
    return dict(least)


def rank(args, rows):
    """1: the second program is ranked faster, -1: the first, 0: neither, None: no reward."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = subprocess.run([str(pathlib.Path(args.build) / "assay"), "score", path, "--verifier", "timing", "-j", "1", "--no-progress", "-q"]
                              + (["--python", args.python] if args.python else []), capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if len(lines) != len(rows):
        sys.exit(done.stderr)
    return [(None if None in line["rewards"] else (line["rewards"][1] > line["rewards"][0]) - (line["rewards"][1] < line["rewards"][0]),
             [verdict["timing"].get("evidence", verdict["timing"]["reason"]) for verdict in line["verdicts"]]) for line in lines]


def ratio_of(cost, half, net):
    """Of one half of the runs (or, half None, of all)."""
    def of(name):
        return min(cost[name]) if half is None else cost[name][half]
    slow, fast = (max(of(name) - (of("empty") if net else 0), 0.02) for name in ("slow", "fast"))
    return slow / fast


def direction(cost, net=False):
    """1: the second program is clearly faster, -1: the first one is, 0: neither."""
    ratios = [ratio_of(cost, half, net) for half in (0, 1)]
    return 1 if min(ratios) > CLEAR else -1 if max(ratios) < 1 / CLEAR else 0


def summary(results):
    out = {"pairs": len(results), "repeats": sum(one["ranked"][0] == one["ranked"][1] for one in results)}
    for net in (False, True):
        clear = [one for one in results if direction(one["cost"], net) != 0]
        right = [one for one in clear if one["ranked"][0] == direction(one["cost"], net)]
        repeats = sum(one["ranked"][0] == one["ranked"][1] for one in clear)
        end = "_net" if net else ""
        out.update({f"above_{CLEAR}{end}": len(clear), f"ranked_right{end}": len(right), f"clear_repeats{end}": repeats})
    return out


def say_misses(results):
    for one in results:
        wanted = direction(one["cost"])
        if one["ranked"][0] != one["ranked"][1] or (wanted != 0 and one["ranked"][0] != wanted):
            print(f"{one['id']}: ratio {ratio_of(one['cost'], None, False):.2f}, net {ratio_of(one['cost'], None, True):.2f} "
                  f"({one['cost']}), ranked {one['ranked']}: {one['evidence']}", file=sys.stderr)


def measure_all(args, rows, out, results):
    begun = time.monotonic()
    while rows and (args.seconds == 0 or time.monotonic() - begun < args.seconds):
        chunk, rows = rows[:CHUNK], rows[CHUNK:]
        server = timing_inputs.Server(args.build, 1, args.python)
        try:
            costs = [measured(server, row) for row in chunk]
        finally:
            server.close()
        chunk = [(row, cost) for row, cost in zip(chunk, costs) if cost is not None]
        ranks = [rank(args, [row for row, _ in chunk]) for _ in range(2)] if chunk else []
        for at, (row, cost) in enumerate(chunk):
            results.append({"id": row["id"], "cost": cost, "ranked": [one[at][0] for one in ranks], "evidence": ranks[0][at][1]})
            out.write(json.dumps(results[-1]) + "\n")
        out.flush()
        print(f"\r{len(results)} pairs", end="", file=sys.stderr)
    print(file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--build", default="build")
    parser.add_argument("--python", help="as that of assay: a virtual environment with numpy")
    parser.add_argument("--results", help="a file that is there is gone on with")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0, help="no chunk of pairs is begun after so long; 0: all pairs")
    args = parser.parse_args()
    path = args.results or os.devnull
    results = timing_inputs.read(path) if args.results and os.path.exists(path) else []
    known = {one["id"] for one in results}
    rows = [row for row in timing_inputs.read(args.rows) if "id" in row][: args.pairs or None]
    with open(path, "a", encoding="utf-8") as out:
        measure_all(args, [row for row in rows if row["id"] not in known], out, results)
    say_misses(results)
    said = summary(results)
    print(json.dumps({**said, "load": os.getloadavg()[0]}))
    clear = said[f"above_{CLEAR}"]
    sys.exit(0 if clear and said["ranked_right"] >= 0.95 * clear and said["repeats"] >= 0.99 * said["pairs"] else 1)


if __name__ == "__main__":
    main()
