#!/usr/bin/env python3
"""make_sums.py DIR: three-digit sums ("007+123=", 10^6 possible) as problems: sft.jsonl (with completions), train.jsonl and
eval.jsonl (held out: no problem of it is in the other two, in either order of the addends)."""
import json
import os
import random
import sys


def main():
    folder = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(seed)
    held_out = set()
    rows = []
    while len(rows) < 2000:
        a, b = rng.randrange(1000), rng.randrange(1000)
        if (a, b) in held_out:
            continue
        held_out.update({(a, b), (b, a)})
        rows.append((a, b))
    write(folder, "eval", rows, False)
    for name, count, with_completion in (("sft", 60000, True), ("train", 60000, False)):
        rows = []
        while len(rows) < count:
            a, b = rng.randrange(1000), rng.randrange(1000)
            if (a, b) not in held_out:
                rows.append((a, b))
        write(folder, name, rows, with_completion)


def write(folder, name, rows, with_completion):
    with open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8") as out:
        for i, (a, b) in enumerate(rows):
            row = {"id": f"{name}-{i}", "prompt": f"{a:03d}+{b:03d}=", "answer": str(a + b)}
            if with_completion:
                row = {"id": row["id"], "prompt": row["prompt"], "completion": row["answer"]}
            out.write(json.dumps(row) + "\n")


main()
