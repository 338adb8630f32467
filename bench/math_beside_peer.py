"""The math verifier and Math-Verify 0.9.0 one after the other on the same cases; one JSON line with both and the ratio.

    bench/math_beside_peer.py --build build --venv FOLDER [--data ../shared/data] [--cases 200]

FOLDER is a virtual environment that has Math-Verify, made where it is missing (PyPI is needed). Without the data folder the built-in
short cases alone are compared.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import math_verify_venv  # noqa: E402


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: {command[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def short_cases(data, folder, limit):
    """The direct upstream cases whose two sides are bare answers, as a file for both programs."""
    import gzip

    source = data / "math_upstream.jsonl.gz"
    if not source.exists():
        return None
    with gzip.open(source, "rt") as file:
        rows = [row for row in map(json.loads, file) if row.get("mode") == "parse_equiv" and not row.get("suspect")]
    path = folder / "short.jsonl"
    path.write_text("".join(json.dumps({key: row[key] for key in ("id", "gold", "pred")}) + "\n" for row in rows[:limit]))
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "../shared/data")
    parser.add_argument("--cases", type=int, default=200, help="so many of each kind")
    options = parser.parse_args()
    python = math_verify_venv.python_of(options.venv)
    if python is None:
        sys.exit("error: Math-Verify cannot be installed\n\nhint: PyPI has to be reachable, or --venv made before")
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        short = short_cases(options.data, pathlib.Path(scratch), options.cases)
        if short:
            files += ["--short", short]
        long = options.data / "math_long.jsonl.gz"
        if long.exists():
            files += ["--long", long]
        ours = json.loads(run(options.build / "assay_bench_math", *files))
        peer = json.loads(run(python, ROOT / "bench/math_verify_peer.py", "--cases", options.cases, *files))
    out = {"bench": "math beside Math-Verify", "assay": ours, "math_verify": peer, "ratio": {}}
    for kind in ("short", "long"):
        if kind in ours and kind in peer:
            out["ratio"][kind] = round(ours[kind]["cases_per_cpu_second"] / peer[kind]["cases_per_cpu_second"])
    print(json.dumps(out))


if __name__ == "__main__":
    main()
