"""Runs every test through ctest and says at the end, for each label, how many ran and how many were skipped.

A test program that skips some of its cases passes for ctest, so the cases are counted from GoogleTest's own reports.
Fails if a test fails, if no test ran, or if a case was skipped that tests/allowed_skips.txt does not allow.

    run_tests.py --build build [-j N] [ctest arguments, such as -L fast or -R store]
"""

import argparse
import collections
import fnmatch
import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
Case = collections.namedtuple("Case", "program name skipped message")


def read_allowed(path):
    """The allowed skips: [(pattern of program:case, part of the message)]."""
    allowed = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 3 or not fields[2]:
            sys.exit(f"{path}:{number}: want 'program:case pattern | part of the skip message | why it is allowed'")
        allowed.append((fields[0], fields[1]))
    return allowed


def is_allowed(case, allowed):
    name = f"{case.program}:{case.name}"
    return any(fnmatch.fnmatchcase(name, pattern) and part in case.message for pattern, part in allowed)


def labels_by_program(build):
    listing = subprocess.run(
        ["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True, check=True
    )
    labels = {}
    for test in json.loads(listing.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        labels[test["name"]] = properties.get("LABELS", ["unlabelled"])
    return labels


def cases_of_gtest(report_folder):
    """Cases from GoogleTest's reports, by the program that wrote them."""
    cases = collections.defaultdict(list)
    for report in sorted(report_folder.glob("*.xml")):
        try:
            root = ElementTree.parse(report).getroot()
        except ElementTree.ParseError:
            continue  # the program died while writing: ctest has counted it as failed
        for case in root.iter("testcase"):
            skipped = case.find("skipped")
            if case.get("status") == "notrun":
                continue
            cases[report.stem].append(
                Case(report.stem, f"{case.get('classname')}.{case.get('name')}", skipped is not None,
                     "" if skipped is None else " ".join(skipped.get("message", "").split())))
    return cases


def cases_of_ctest(junit, gtest_cases):
    """One entry for each program without a GoogleTest report, and for each that was skipped whole."""
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        program = case.get("name")
        skipped = case.find("skipped")
        if case.get("status") == "disabled":
            continue
        if skipped is not None or program not in gtest_cases:
            output = case.findtext("system-out") or ""
            said = [line for line in output.splitlines() if "ASSAY_SKIPPED_WHOLE_PROGRAM" in line]
            yield Case(program, "(whole program)", skipped is not None, said[0] if said else "")


def print_table(cases, labels):
    ran, skipped = collections.Counter(), collections.Counter()
    for case in cases:
        for label in labels.get(case.program, ["unlabelled"]):
            (skipped if case.skipped else ran)[label] += 1
    print(f"\n{'label':<12} {'run':>7} {'skipped':>8}")
    for label in sorted(set(ran) | set(skipped)):
        print(f"{label:<12} {ran[label]:>7} {skipped[label]:>8}")
    print(f"{'all':<12} {sum(not c.skipped for c in cases):>7} {sum(c.skipped for c in cases):>8}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    options, ctest_arguments = parser.parse_known_args()
    build = pathlib.Path(options.build).resolve()

    reports = build / "gtest-reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    junit = build / "junit.xml"
    environment = dict(os.environ, GTEST_OUTPUT=f"xml:{reports}/", GTEST_COLOR="no")
    ctest = subprocess.run(
        ["ctest", "--test-dir", str(build), "--output-on-failure", "--output-junit", str(junit), "-j", str(options.jobs),
         "--no-tests=error", *ctest_arguments], env=environment, check=False)
    if not junit.exists():
        sys.exit("run_tests: ctest left no report")

    gtest_cases = cases_of_gtest(reports)
    cases = [case for program in gtest_cases.values() for case in program]
    cases += cases_of_ctest(junit, gtest_cases)
    print_table(cases, labels_by_program(str(build)))

    allowed = read_allowed(ROOT / "tests" / "allowed_skips.txt")
    refused = []
    for case in cases:
        if case.skipped:
            fine = is_allowed(case, allowed)
            refused += [] if fine else [case]
            print(f"skipped{'' if fine else ' (NOT ALLOWED)'}: {case.program}:{case.name}: {case.message}")
    if refused:
        print(f"run_tests: {len(refused)} skipped that tests/allowed_skips.txt does not allow", file=sys.stderr)
    sys.exit(ctest.returncode or (1 if refused else 0))


if __name__ == "__main__":
    main()
