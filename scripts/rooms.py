"""Which room may include which: the architecture as a table, checked by `make lint`. Prints what breaks it; exit 1 if anything does.

A room is a folder, or one file that stands on a floor of its own; a file belongs to the longest name below that it starts with. A room
sees itself, the rooms named behind it, and nothing else of the project: rooms stand from the ground up, and an arrow up is refused.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From the ground up; a name here covers the folders below it that have no line of their own.
ROOMS = {
    "core": "",
    "core/rows": "core",
    "sandbox": "core",
    "sandbox/jail/judge_spec": "core",
    "sandbox/jail": "core sandbox sandbox/jail/judge_spec",
    "verifiers/verifier.h": "core",
    "verifiers/math/syntax": "core",
    "verifiers/math/reply": "core verifiers/math/syntax",
    "verifiers/math/value": "core verifiers/math/syntax",
    "verifiers/math/equal": "core verifiers/math/syntax verifiers/math/value",
    "verifiers/math": "core verifiers/verifier.h verifiers/math/syntax verifiers/math/reply verifiers/math/equal",
    "verifiers/code": "core sandbox sandbox/jail/judge_spec verifiers/verifier.h",
    "verifiers/lint": "core sandbox verifiers/verifier.h verifiers/code",
    "verifiers/sql": "core sandbox verifiers/verifier.h verifiers/code",
    "verifiers/timing": "core sandbox verifiers/verifier.h verifiers/code",
    "verifiers/text_verifier": "core verifiers/verifier.h",
    "verifiers/own": "core sandbox verifiers/verifier.h verifiers/text_verifier",
    "verifiers": "core sandbox verifiers/verifier.h verifiers/text_verifier verifiers/math verifiers/code verifiers/own verifiers/lint "
                 "verifiers/sql verifiers/timing",
    "verifiers/redteam": "core sandbox verifiers/verifier.h verifiers/code",
    "datagen/problems": "core",
    "datagen/store": "core core/rows verifiers verifiers/verifier.h",
    "datagen/score": "core core/rows verifiers verifiers/verifier.h datagen/store",
    "datagen/filter": "core core/rows",
    "datagen/select/correctness": "core verifiers",
    "datagen/select": "core verifiers verifiers/verifier.h datagen/store datagen/filter datagen/select/correctness",
    "datagen/export": "core core/rows datagen/store datagen/select/correctness",
    "datagen/generate": "core core/rows verifiers datagen/store",
    "datagen/import": "core core/rows verifiers datagen/store",
    "datagen/report": "core datagen/store datagen/score datagen/select datagen/select/correctness",
    "datagen/audit": "core core/rows sandbox verifiers verifiers/verifier.h verifiers/code",
    "datagen/testgen": "core core/rows sandbox verifiers verifiers/verifier.h verifiers/code datagen/audit datagen/generate",
    "grpo/config": "core",
    # What a pipeline asks of the trainers, by their tables alone.
    "datagen/pipeline": "core verifiers verifiers/verifier.h datagen/problems datagen/select datagen/store grpo/config",
    "grpo/files": "core",
    "grpo/tokenizer": "core sandbox grpo/files",
    "grpo/model": "core grpo/config grpo/files grpo/tokenizer",
    "grpo/rollout": "core verifiers verifiers/verifier.h grpo/config grpo/tokenizer grpo/model",
    "grpo/learn": "core grpo/config grpo/model",
    "grpo/run": "core core/rows verifiers verifiers/verifier.h datagen/store grpo/config grpo/files grpo/tokenizer grpo/model "
                "grpo/rollout grpo/learn",
    "grpo": "core core/rows verifiers verifiers/verifier.h datagen/store grpo/config grpo/tokenizer grpo/model grpo/rollout grpo/learn grpo/run",
}
# Programs, tests and benchmarks stand on the roof: they may look into every room, and no room looks at them.
ROOF = ("cli/", "tests/", "bench/", "python/")

# Libraries that stay inside their rooms, by how their headers are named.
LIBRARIES = {
    r"torch/|ATen/|c10/|cuda|nvrtc": "grpo/model grpo/rollout grpo/learn grpo/run grpo",
    r"Python\.h": "sandbox/jail",
    r"seccomp\.h": "sandbox/jail",
    r"sqlite3\.h": "datagen/store",
    r"boost/": "sandbox",
    r"simdjson": "core",
    r"fmt/": "core",
    r"curl/": "core",
    r"CLI/": "cli",
    r"nanobind/": "python",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def room_of(path):
    """The room that a path belongs to, or None on the roof and for what is generated."""
    fitting = [name for name in ROOMS if path == name or path.startswith((name + "/", name + "."))]
    return max(fitting, key=len) if fitting else None


def complaints(paths):
    for path in paths:
        room = room_of(path)
        if room is None and not path.startswith(ROOF):
            yield f"{path}: belongs to no room of scripts/rooms.py"
            continue
        seen = None if room is None else {room, *ROOMS[room].split()}
        for mark, name in INCLUDE.findall((ROOT / path).read_text()):
            if mark == "<":
                for pattern, rooms in LIBRARIES.items():
                    if re.match(pattern, name) and (room or path.split("/")[0]) not in rooms.split() and room is not None:
                        yield f"{path}: <{name}> stays inside {rooms}"
            elif seen is not None and "/" in name and room_of(name) not in seen:
                yield f"{path}: {room} may not look into {room_of(name) or name} ({name})"


def main():
    listing = subprocess.run(["git", "ls-files", "*.cc", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [path for path in listing.splitlines() if (ROOT / path).exists()]
    found = list(complaints(paths))
    print("\n".join(found) if found else f"rooms: {len(paths)} files, every arrow points down")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
