"""How often agreement about tests that nobody wrote picks a right sample, on groups with labels: `assay testgen` gets the groups without their
tests (and says so if it looks at them: they are taken out here), makes up inputs from the prompts, and its pick of each problem is compared
with the label.

    testgen_agreement.py --build build GROUPS.jsonl[.gz] [--labels labels_truncated] [--inputs 20] [--problems N]

Chance is a sample drawn at random: the mean share of right samples. Prints one JSON line; exit 1 where agreement is less than
--points better. The rows that have tests are then scored by their own tests and by the new ones, which says how far those agree.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

TESTS = ("test", "test_list", "test_setup_code", "canonical_solution", "challenge_test_list")


def read(path, most):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return rows[:most] if most else rows


def bare(row, labels):
    """The row without anything that says what is right."""
    return {k: v for k, v in row.items() if k not in TESTS and k not in ("labels", "labels_truncated", "outcomes", labels, "verification_info")} | {
        "verification_info": {"entry_point": row["entry_point"]}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--labels", default="labels_truncated")
    parser.add_argument("--inputs", type=int, default=20)
    parser.add_argument("--problems", type=int, default=0)
    parser.add_argument("--points", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, help="keep the rows with their tests here")
    options = parser.parse_args()
    rows = read(options.groups, options.problems)
    assay = options.build.resolve() / "assay"
    with tempfile.TemporaryDirectory() as scratch:
        source, made = pathlib.Path(scratch) / "bare.jsonl", options.out or pathlib.Path(scratch) / "made.jsonl"
        source.write_text("".join(json.dumps(bare(row, options.labels)) + "\n" for row in rows))
        command = [assay, "testgen", source, "--inputs", str(options.inputs), "--keep-rows", "--output-format", "json", "-o", made]
        command += ["--cut-humaneval"] if options.labels == "labels_truncated" else []
        command += ["-j", str(options.jobs)] if options.jobs else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"assay testgen: {done.returncode}: {done.stderr[-2000:]}")
        summary = json.loads(done.stderr.splitlines()[-1])
        origins = [row["tests_from"] for row in read(made, 0)]
    labels = [row[options.labels] for row in rows]
    chance = [sum(row) / len(row) for row in labels]
    picked = [o.get("picked", -1) for o in origins]
    # Where nothing agrees the pick is as good as chance.
    right = [float(row[p]) if p >= 0 else share for row, p, share in zip(labels, picked, chance, strict=True)]
    count = len(rows)
    result = {"problems": count, "picks": sum(p >= 0 for p in picked), "chance": 100 * sum(chance) / count, "agreement": 100 * sum(right) / count,
              "solvable": 100 * sum(share > 0 for share in chance) / count, "rows_with_tests": summary["by_agreement"], "kept": summary["kept"],
              "proposed": summary["proposed"], "dropped": summary["dropped"], "without": summary["without"]}
    result["points"] = result["agreement"] - result["chance"]
    print(json.dumps(result))
    sys.exit(result["points"] < options.points)


if __name__ == "__main__":
    main()
