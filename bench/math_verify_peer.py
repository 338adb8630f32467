"""Math-Verify on the cases that assay_bench_math measures, for a figure beside ours. Prints one JSON line.

    VENV/bin/python bench/math_verify_peer.py [--short FILE] [--long FILE] [--cases 200]

VENV needs: pip install 'math-verify[antlr4_13_2]==0.9.0'.
"""

import argparse
import gzip
import json
import time

from math_verify import parse, verify

SHORT = [("18", "18"), ("\\frac{3}{4}", "0.75"), ("3\\sqrt{13}", "\\sqrt{117}"), ("x^2+2x+1", "(x+1)^2"), ("p - q", "-q + p"),
         ("[-2, 7]", "-2 \\le x \\le 7"), ("1,234", "1234"), ("90^\\circ", "90")]


def read(path, limit):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    with opened as file:
        rows = [json.loads(line) for line, _ in zip(file, range(limit))]
    return [(row["gold"], row["pred"]) for row in rows]


def measure(cases, framed):
    start = time.process_time()
    right = 0
    for gold, pred in cases:
        gold, pred = (f"${gold}$", f"${pred}$") if framed else (f"${gold}$", pred)
        right += bool(verify(parse(gold), parse(pred)))
    return {"cases": len(cases), "cases_per_cpu_second": round(len(cases) / (time.process_time() - start), 1), "pass_share": right / len(cases)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short")
    parser.add_argument("--long")
    parser.add_argument("--cases", type=int, default=200)
    options = parser.parse_args()
    out = {"bench": "math-verify", "short": measure(read(options.short, options.cases) if options.short else SHORT * 10, True)}
    if options.long:
        out["long"] = measure(read(options.long, options.cases), False)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
