"""Kills scoring runs with SIGKILL at seeded points, resumes them and compares what they leave with an undisturbed run's.

A point is a moment in time, a write, or a step: the process dies inside its Nth write to the output, to the output's journal or to
the store's write-ahead log (inside a transaction), with half of that write done, or just before it renames or removes its Nth
file (kill_at_write.c). Every third run is killed again while it resumes. The output must be equal byte for byte, and so must the
store's dump, and nothing else may be left but a journal. Prints one JSON line; exit 1 if anything differs.

    kill_resume.py --build build --input FILE.jsonl[.gz] [--points 50] [--seed 1] [--verifier math] [--gather]

With --gather the completions stand on lines of their own, those of one group apart, and `--group-by id` joins them.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

KINDS = (".jsonl", ".jsonl.resume", ".sqlite-wal")
GATHERED_KINDS = (".jsonl.gathered", ".jsonl.gathered.resume", ".jsonl.gathered.new", ".sqlite-wal")
STEPS = "steps"  # files renamed and removed
HERE = pathlib.Path(__file__).resolve().parent


def lines_of(rows, gather):
    if not gather:
        yield from rows
        return
    for k in range(max(len(row["completions"]) for row in rows)):
        for row in rows:
            if k < len(row["completions"]):
                rest = {key: value for key, value in row.items() if not isinstance(value, list) and key != "completions"}
                yield {**rest, "completion": row["completions"][k]}


def write_input(source, target, copies, gather):
    """The rows of `source`, `copies` times under ids of their own, so that a run lasts long enough to be hit."""
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8") as rows:
        parsed = [json.loads(line) for line in rows if line.strip()]
    rows = [dict(row, id=f"{row.get('id')}#{copy}") for copy in range(copies) for row in parsed]
    with open(target, "w", encoding="utf-8") as out:
        for row in lines_of(rows, gather):
            out.write(json.dumps(row) + "\n")


def dump(store):
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return "\n".join(connection.iterdump())


class Runner:
    def __init__(self, options, folder):
        self.assay = str(pathlib.Path(options.build).resolve() / "assay")
        self.verifier = options.verifier
        self.more = ["--group-by", "id"] if options.gather else []
        self.folder = folder
        self.shim = folder / "kill_at_write.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.shim, HERE / "kill_at_write.c", "-ldl"], check=True)

    def command(self, name, resume):
        return [self.assay, "score", "input.jsonl", "--verifier", self.verifier, "--no-times", "-q", "-o", f"{name}.jsonl",
                "--store", f"{name}.sqlite", "--run", "run", *self.more] + (["--resume"] if resume else [])

    def whole(self, name, resume=False):
        started = time.monotonic()
        done = subprocess.run(self.command(name, resume), cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
        return time.monotonic() - started

    def watched(self, name, kind, number, resume):
        """Runs under the shim; True if it died in write `number` to its file of that kind."""
        watched = {"KILL_STEPS": f"{name}."} if kind == STEPS else {"KILL_FILE": f"/{name}{kind}"}
        environment = dict(os.environ, LD_PRELOAD=str(self.shim), KILL_AT_WRITE=str(number),
                           KILL_REPORT=str(self.folder / f"{name}.count"), **watched)
        done = subprocess.run(self.command(name, resume), cwd=self.folder, env=environment, capture_output=True, check=False)
        return done.returncode == -signal.SIGKILL

    def count_writes(self, kind):
        """How many writes to its file of that kind a whole run makes, or how many steps."""
        self.watched("count", kind, -1, kind == STEPS)
        writes = int((self.folder / "count.count").read_text())
        self.remove("count")
        return writes

    def killed_in_time(self, name, seconds, resume):
        process = subprocess.Popen(
            self.command(name, resume), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.kill()
        return process.wait() == -signal.SIGKILL

    def remove(self, name):
        for path in self.folder.glob(f"{name}.*"):
            path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--input", type=pathlib.Path, required=True)
    parser.add_argument("--verifier", default="math")
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gather", action="store_true")
    options = parser.parse_args()
    kinds = (*(GATHERED_KINDS if options.gather else KINDS), STEPS)
    chance = random.Random(options.seed)

    with tempfile.TemporaryDirectory(prefix="assay-kill-") as scratch:
        folder = pathlib.Path(scratch)
        write_input(options.input, folder / "input.jsonl", options.copies, options.gather)
        runner = Runner(options, folder)
        seconds = runner.whole("reference")
        expected_output = (folder / "reference.jsonl").read_bytes()
        expected_dump = dump(folder / "reference.sqlite")
        writes = {kind: runner.count_writes(kind) for kind in kinds}

        hits, killed, twice, different, errors = {}, 0, 0, [], []
        for point in range(options.points):
            name, kind = f"run{point}", [None, *kinds][point % (len(kinds) + 1)]
            if kind is None:
                hit, moment = "time", chance.uniform(0, seconds)
                # A run that has removed its journal has nothing to resume: one that says --resume keeps it.
                while not (was_killed := runner.killed_in_time(name, moment, True)):
                    runner.remove(name)  # it was done before that moment
                    moment *= 0.7
            else:
                hit, number = kind, chance.randint(1, writes[kind])
                while not (was_killed := runner.watched(name, kind, number, kind == STEPS)):
                    runner.remove(name)  # a flush once a second makes the count depend on the machine
                    number = max(1, number - 1)
            killed += was_killed
            hits[hit] = hits.get(hit, 0) + was_killed
            if point % 3 == 0:
                again = chance.choice(list(kinds))
                twice += runner.watched(name, again, chance.randint(1, max(1, writes[again] // 4)), True)
            try:
                runner.whole(name, resume=True)
                left = {path.name[len(name):] for path in folder.glob(f"{name}.*")} - {".jsonl", ".jsonl.resume", ".sqlite", ".count"}
                if left:
                    different.append(f"point {point} ({hit}): {', '.join(sorted(left))} is left")
                if (folder / f"{name}.jsonl").read_bytes() != expected_output:
                    different.append(f"point {point} ({hit}): the output differs")
                if dump(folder / f"{name}.sqlite") != expected_dump:
                    different.append(f"point {point} ({hit}): the store's dump differs")
            except (RuntimeError, OSError, sqlite3.Error) as error:
                errors.append(f"point {point} ({hit}): {error}")
            runner.remove(name)
    print(json.dumps({"points": options.points, "killed": killed, "killed_again": twice, "run_seconds": round(seconds, 2),
                      "writes_in_a_run": writes, "hits": hits, "different": different, "errors": errors}))
    sys.exit(1 if different or errors else 0)


if __name__ == "__main__":
    main()
