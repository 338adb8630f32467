"""Scores an input far larger than memory whose first row is slow, and says how much memory `assay score` took at most.

The rows are made while they are read (a pipe): nothing of that size lies on the disk. The first row is a program that sleeps
until its wall limit; while it runs, reading must stop at the bound of what is in flight instead of filling the memory.
Prints one JSON line; exit 1 above the limit or if a row is lost.

    big_input.py --build build [--gigabytes 10] [--slow-seconds 60] [--limit-mib 512]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROW_BYTES = 200_000
ROWS_PER_BLOCK = 20


def slow_row(seconds):
    return json.dumps({
        "id": "slow", "task": "code", "prompt": "Sleep.",
        "verification_info": {"asserts": ["assert f() == 1"], "limits": {"wall_ms": seconds * 1000, "cpu_ms": 5000}},
        "completions": [f"```python\nimport time\ndef f():\n    time.sleep({seconds * 10})\n    return 1\n```"],
    }) + "\n"


def block():
    reply = "<think>\n" + "x" * (ROW_BYTES // 2 - 80) + "\n</think>\nanswer"
    return (json.dumps({"id": "r", "task": "format", "completions": [reply, reply[8:]]}) + "\n") * ROWS_PER_BLOCK


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--slow-seconds", type=int, default=60)
    parser.add_argument("--limit-mib", type=int, default=512)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()

    data = block().encode()
    blocks = int(options.gigabytes * 1e9 / len(data)) + 1
    with tempfile.TemporaryDirectory(prefix="assay-big-") as scratch:
        output = pathlib.Path(scratch) / "scored.jsonl"
        assay = str(pathlib.Path(options.build).resolve() / "assay")
        started = time.monotonic()
        process = subprocess.Popen([assay, "score", "-", "-j", str(options.jobs), "-q", "--no-times", "-o", str(output)],
                                   stdin=subprocess.PIPE)
        try:
            process.stdin.write(slow_row(options.slow_seconds).encode())
            for _ in range(blocks):
                process.stdin.write(data)
            process.stdin.close()
        except BrokenPipeError:
            pass
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        with open(output, "rb") as rows:
            first = json.loads(next(rows))
            lines = 1 + sum(1 for _ in rows)
    peak_mib = usage.ru_maxrss / 1024
    verdict = next(iter(first["verdicts"][0].values()))
    whole = lines == 1 + blocks * ROWS_PER_BLOCK
    print(json.dumps({"bytes": blocks * len(data), "rows": lines, "all_rows": whole, "exit": os.waitstatus_to_exitcode(status),
                      "seconds": round(seconds, 1), "first_row_reason": verdict["reason"], "peak_mib": round(peak_mib, 1)}))
    sys.exit(0 if whole and peak_mib < options.limit_mib else 1)


if __name__ == "__main__":
    main()
