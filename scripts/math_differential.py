"""Our math verifier against Math-Verify (PyPI) on pairs of a generator of our own; slow.

math_rewrite_test writes the pairs (equal rewrites and near-equal mutants, with both sides in a form that can be evaluated); both
verifiers judge them; every pair that they, or the construction, disagree on is settled by evaluating both sides with mpmath at 60
digits at several points. Prints one JSON line; --keep FILE appends each disagreement, settled, as a case.

    math_differential.py --build build --venv FOLDER [--pairs 200] [--seed 7] [--keep tests/cases/math_differential.jsonl]

FOLDER is a virtual environment, made where it is missing (PyPI is needed). Exit 1 if we were wrong on a settled pair by accepting
it, or by rejecting more than one in a hundred; 77 if Math-Verify cannot be installed.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import math_verify_venv

# Runs inside the venv: reads cases, writes one line a case. Math-Verify's own time limit needs the main thread.
PEER = r"""
import json, random, sys, time
import mpmath
from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig, ExprExtractionConfig

mpmath.mp.dps = 60
NAMES = {"sin": mpmath.sin, "cos": mpmath.cos, "exp": mpmath.exp, "ln": mpmath.log, "sqrt": mpmath.sqrt, "pi": mpmath.pi}

def value(text, x, y):
    # Whole numbers as mpf, so that 1/3 keeps its 60 digits.
    import re
    text = re.sub(r"(?<![\w.])(\d+\.?\d*)", r"mpf('\1')", text.replace("^", "**"))
    return eval(text, {"__builtins__": {}}, dict(NAMES, x=x, y=y, mpf=mpmath.mpf))

def truth(row):
    rng = random.Random(row["id"])
    seen = 0
    for _ in range(12):
        x, y = mpmath.mpf(rng.uniform(0.2, 4)), mpmath.mpf(rng.uniform(-2, 4))
        try:
            a, b = value(row["gold_value"], x, y), value(row["pred_value"], x, y)
        except (ZeroDivisionError, ValueError, OverflowError):
            continue
        seen += 1
        if abs(a - b) > mpmath.mpf(10) ** -40 * max(1, abs(a), abs(b)):
            return False
    return True if seen else None

config = [LatexExtractionConfig(), ExprExtractionConfig()]
for line in sys.stdin:
    row = json.loads(line)
    start = time.process_time()
    try:
        got = bool(verify(parse("$" + row["gold"] + "$", config), parse("$" + row["pred"] + "$", config)))
    except Exception as error:
        got = None
    spent = time.process_time() - start
    print(json.dumps({"id": row["id"], "got": got, "ms": spent * 1e3, "truth": truth(row)}), flush=True)
"""


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def generate(build, pairs, seed, folder):
    path = folder / "pairs.jsonl"
    environment = dict(os.environ, ASSAY_REWRITE_DUMP=str(path), ASSAY_REWRITE_PAIRS=str(pairs), ASSAY_REWRITE_SEED=str(seed))
    subprocess.run([build / "math_rewrite_test"], env=environment, stdout=subprocess.DEVNULL, check=False)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, default=100, help="of each of the six kinds; each gives an equal and an unequal case")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    python = math_verify_venv.python_of(options.venv)
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM Math-Verify cannot be installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        pairs = generate(options.build.resolve(), options.pairs, options.seed, folder)
        verdicts = folder / "verdicts.jsonl"
        subprocess.run([options.build / "assay_math_cases", "--verdicts", verdicts, pairs], stdout=subprocess.DEVNULL, check=True)
        theirs = subprocess.run([python, "-c", PEER], input=pairs.read_text(), capture_output=True, text=True, check=False)
        if theirs.returncode != 0:
            sys.exit(f"error: {theirs.stderr.strip().splitlines()[-1]}\n\nhint: remove {options.venv}, so that it is made anew")
        ours = {row["id"]: row for row in lines(verdicts)}
        peer = {row["id"]: row for row in map(json.loads, theirs.stdout.splitlines())}
        report(lines(pairs), ours, peer, options)


def report(pairs, ours, peer, options):
    count = {"cases": len(pairs), "agree": 0, "settled_for_us": 0, "settled_for_peer": 0,
             "our_false_accepts": 0, "our_false_rejects": 0, "peer_false_accepts": 0, "peer_false_rejects": 0, "peer_errors": 0}
    kept = []
    for row in pairs:
        mine, other, truth = ours[row["id"]]["got"], peer[row["id"]]["got"], peer[row["id"]]["truth"]
        truth = row["expect"] if truth is None else truth
        count["peer_errors"] += other is None
        count["our_false_accepts"] += mine and not truth
        count["our_false_rejects"] += truth and not mine
        count["peer_false_accepts"] += other is True and not truth
        count["peer_false_rejects"] += truth and other is not True
        if mine == other == row["expect"]:
            count["agree"] += 1
            continue
        count["settled_for_us" if mine == truth else "settled_for_peer"] += 1
        kept.append({"id": row["id"], "source": "assay:differential", "gold": row["gold"], "pred": row["pred"], "expect": truth,
                     "mode": "bare", "note": f"Math-Verify says {other}"})
    count["peer_ms_per_case"] = round(sum(row["ms"] for row in peer.values()) / max(1, len(peer)), 2)
    if options.keep and kept:
        with options.keep.open("a") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
    print(json.dumps(count))
    sys.exit(1 if count["our_false_accepts"] or count["our_false_rejects"] * 100 > len(pairs) else 0)


if __name__ == "__main__":
    main()
