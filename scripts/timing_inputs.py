#!/usr/bin/env python3
"""Makes inputs for pairs of programs that solve one problem, slow and fast (PIE's), which come without any: one of the two is run with a
standard input that makes up what it asks for, in the sandbox, or gets an input made for another pair of the same problem; an input counts if
both programs end well on it and print the same.

    timing_inputs.py PAIRS.jsonl[.gz] -o ROWS.jsonl [--build build] [--pairs N] [--seed S] [-j 2]

Lines are written as they come, also for pairs without an input ({"pair", "input": null}); a file that is there is gone on with, and pairs without an
input are tried again with those of other pairs. What is measured on them: timing_pairs.py.
"""

import argparse
import concurrent.futures
import gzip
import http.client
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading

# Sizes of inputs, each tried where the one before went well and left the slow program below the time that is worth measuring.
SCALES = (6, 12, 20, 60, 250, 1000, 5000, 30000, 150000)
WORTH_MS = 250
CPU_MS_MAX = 1500
# Which numbers and words an input has, and how many stand on a line that is read in a loop (0: as many as the last number said).
STYLES = (("plain", 0), ("tree", 2), ("size", 0), ("digits", 0), ("plain", 2), ("rows", 0), ("big", 0), ("bits", 0), ("plain", 3), ("odd", 0), ("order", 0))

# Runs before the asking program: its reads make up lines that fit how the reading source line looks.
ASKS = r'''
import builtins, io, random, re, sys
def _start(source, scale, style, width, seed):
    rng, lines, said = random.Random(seed), source.split("\n"), []
    last = [0, 0]  # the first two numbers of the last line that said how many there are
    asked = {}  # how often each line of the source has asked
    top = {"digits": 9, "big": 10 ** 9, "bits": 1}.get(style, scale)
    def number():
        return rng.randint(max(1, scale // 2), scale) | (style == "odd")
    def element():
        bound = last[0] or scale
        return rng.randint(0 if style == "bits" else 1, bound if style in ("size", "tree") else top)
    def listed(size):
        if style == "order":  # each number from 1 on once
            return rng.sample(range(1, size + 1), size)
        return [element() for _ in range(size)]
    def word(length):
        kind = {"digits": "0123456789", "bits": "01", "rows": ".#", "big": "ABC", "odd": "AZaz"}.get(style, "abcde")
        return "".join(rng.choice(kind) for _ in range(length)).lstrip("0") or "1"
    def several(count, often):
        if style == "tree" and last[0] and often:
            return [rng.randint(1, often), often + 1] + [element() for _ in range(count - 2)]
        if last[0] and (often > 1 or width):
            return [element() for _ in range(count)]
        last[:] = ([number()] + [number() if style in ("plain", "rows", "odd") else element() for _ in range(count - 1)] + [0])[:2]
        return last + [element() for _ in range(count - 2)] if count > 1 else last[:1]
    def made(text, count, often):
        loop = re.search(r"\bfor\b(?!\s+_?\w*\s+in\s+(sys\.stdin|input|open|map))", text)
        if count:
            return " ".join(map(str, several(count, often)))
        many = "split" in text or re.search(r"map\(\s*int\s*,\s*(list\()?(input|read)", text)
        if many and re.search(r"\bint\b|\bfloat\b|int64", text):
            if width and loop:
                return " ".join(map(str, several(width, often)))
            size = last[1] or last[0] if style == "rows" else last[0]
            return " ".join(map(str, listed(size or 3)))
        if many:
            return " ".join(word(rng.randint(1, 5)) for _ in range(2))
        if re.search(r"\bint\(|\bfloat\(", text):
            if last[0] and (loop or often > 1 or style in ("digits", "big", "bits")):
                return str(element())
            last[:] = [number(), 0]
            return str(last[0])
        letters = word(last[1] if style == "rows" and last[1] else last[0] or scale)
        return repr(letters) if re.search(r"\beval\(", text) else letters
    def ask(*_):
        frame, texts, count, often = sys._getframe(1), [], 0, 0
        while frame is not None and len(texts) < 5:
            if frame.f_code.co_filename == "asked.py":
                text = lines[frame.f_lineno - 1]
                texts.append(text)
                names = re.match(r"\s*(?:for\s+)?\(?([\w\[\]]+(?:\s*,\s*[\w\[\]]+)+)\)?\s*(?:=[^=]|in\b)", text)
                often = asked[frame.f_lineno] = asked.get(frame.f_lineno, 0) + 1
                if names and "*" not in text.split("=")[0]:
                    count = names.group(1).count(",") + 1
                    break
            frame = frame.f_back
        said.append(made(" ".join(texts), count, often))
        if len(said[-1]) > 4000000 or len(said) > 400000:
            raise SystemExit(7)
        return said[-1]
    def not_so(*_, **__):
        raise SystemExit(7)
    class Bytes:
        def readline(self, *_):
            return ask().encode() + b"\n"
        read = readlines = __iter__ = fileno = not_so
    class Text:
        buffer = Bytes()
        def readline(self, *_):
            return ask() + "\n"
        read = readlines = __iter__ = fileno = not_so
    real = sys.stdout
    builtins.input, sys.stdin, sys.stdout = ask, Text(), io.StringIO()
    sys.setrecursionlimit(200000)
    try:
        exec(compile(source, "asked.py", "exec"), {"__name__": "__main__", "open": not_so})
    except SystemExit as end:
        if end.code == 7:
            raise
    real.write("\n".join(said) + "\n")
    real.flush()
'''
# What is gone since 2019 and programs of then use: it is put back before both.
OLD = ((re.compile(r"fractions.*gcd"), "import fractions, math\nfractions.gcd = math.gcd\n"),
       (re.compile(r"\b(np|numpy)\.(int|bool|float|object)\b"),
        "import numpy\nnumpy.int, numpy.bool, numpy.float, numpy.object = int, bool, float, object\n"))


class Server:
    """`assay serve`, whose workers are warm: a run takes milliseconds."""

    def __init__(self, build, jobs, python):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that it is ended with us
        self.process = subprocess.Popen([str(pathlib.Path(build) / "assay"), "serve", "--listen", "127.0.0.1:0", "-j", str(jobs)]
                                        + (["--python", python] if python else []), stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        else:
            sys.exit("the server did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.local = threading.local()

    def run(self, program, text="", cpu_ms=CPU_MS_MAX):
        """Whether it ended well, its output, CPU milliseconds."""
        body = json.dumps({"source": program, "stdin": text, "limits": {"cpu_ms": cpu_ms, "wall_ms": 20 * cpu_ms}})
        for _ in range(2):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            try:
                connection.request("POST", "/v1/run", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                said = json.loads(answer.read())
                break
            except (http.client.HTTPException, OSError):
                self.local.connection = None
        else:
            return False, "", 0.0
        return said.get("cause") == "ok", said.get("stdout", ""), said.get("cpu_ms", 0.0)

    def close(self):
        self.process.terminate()
        self.process.wait()


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def ask_for(server, asking, scale, style, seed):
    ok, text, _ = server.run(f"{ASKS}\n_start({asking!r}, {scale}, {style[0]!r}, {style[1]}, {seed})\n")
    return text if ok and text.strip() else None


def both_agree(server, slow, fast, text):
    """The output and the slow program's time, where both take the input and print the same."""
    ok_fast, out_fast, _ = server.run(fast, text)
    if not ok_fast or not out_fast.strip():
        return None
    ok_slow, out_slow, cpu_ms = server.run(slow, text)
    return (out_slow, cpu_ms) if ok_slow and out_slow == out_fast else None


def asks_line_by_line(program):
    return re.search(r"\binput\b|\breadline\b", program) and not re.search(r"open\(0|\bread\(\)|readlines\(\)", program)


def borrowed_input(server, slow, fast, inputs):
    """As make_input, from inputs of the same problem."""
    best = None
    for text in inputs:
        agreed = both_agree(server, slow, fast, text)
        if agreed and (best is None or agreed[1] > best[2]):
            best = (text, agreed[0], agreed[1])
        if best is not None and best[2] > 20:
            break
    return best


def make_input(server, slow, fast, seed):
    """The largest input, of a few scales, that costs the slow program no more than is worth measuring: (input, output, its time). None if there
    is none."""
    best = None
    for asking in [program for program in (fast, slow) if asks_line_by_line(program)]:
        for style in STYLES:
            for scale in SCALES:
                text = ask_for(server, asking, scale, style, seed)
                agreed = text and both_agree(server, slow, fast, text)
                if not agreed:
                    break
                if best is None or agreed[1] > best[2]:
                    best = (text, agreed[0], agreed[1])
                if agreed[1] > WORTH_MS:
                    return best
            # One style with which large inputs go well is enough.
            if best is not None and best[2] > 20:
                return best
        if best is not None:
            return best
    return best


def row_of(server, at, pair, inputs, again):
    slow, fast = ("".join(put for used, put in OLD if used.search(text)) + text for text in (pair["input"], pair["target"]))
    made = borrowed_input(server, slow, fast, inputs)
    if not again and (made is None or made[2] < 20):
        made = max((one for one in (made, make_input(server, slow, fast, at)) if one is not None), key=lambda one: one[2], default=None)
    if made is None:
        return {"pair": at, "input": None}
    return {"pair": at, "id": f"pie-{at}", "slow_ms": round(made[2], 2),
            "verification_info": {"test_cases": [{"input": made[0], "output": made[1]}]},
            "completions": [f"```python\n{text}\n```" for text in (slow, fast)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--build", default="build")
    parser.add_argument("--pairs", type=int, default=0, help="how many to try; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", help="as that of assay: a virtual environment with numpy, which one in four of PIE's pairs imports")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    args = parser.parse_args()
    pairs = read(args.file)
    order = list(range(len(pairs)))
    random.Random(args.seed).shuffle(order)
    rows = {row["pair"]: row for row in read(args.output)} if os.path.exists(args.output) else {}
    server = Server(args.build, args.jobs, args.python)
    try:
        with open(args.output, "a", encoding="utf-8") as out:
            tried = order[: args.pairs or None]
            make_all(server, args.jobs, pairs, [at for at in tried if at not in rows], False, rows, out)
            make_all(server, args.jobs, pairs, [at for at in tried if "id" not in rows[at]], True, rows, out)
    finally:
        server.close()
    print(json.dumps({"tried": len(rows), "with_input": sum("id" in row for row in rows.values())}))


def make_all(server, jobs, pairs, todo, again, rows, out):
    """`again`: with inputs of other pairs alone."""
    lock = threading.Lock()

    def make(at):
        problem = pairs[at]["problem_id"]
        with lock:
            inputs = sorted(((row["slow_ms"], row["verification_info"]["test_cases"][0]["input"]) for place, row in rows.items()
                             if "id" in row and pairs[place]["problem_id"] == problem), reverse=True)
        row = row_of(server, at, pairs[at], [text for _, text in inputs[:3]], again)
        with lock:
            rows[at] = row
            if "id" in row or not again:
                out.write(json.dumps(row) + "\n")
                out.flush()
            print(f"\r{sum('id' in row for row in rows.values())} of {len(rows)} pairs have inputs", end="", file=sys.stderr)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(make, at) for at in todo]:
            done.result()


if __name__ == "__main__":
    main()
