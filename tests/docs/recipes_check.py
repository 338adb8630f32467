"""The recipes of docs/training.md run as they stand there, the first time, each for three steps, and without a remark about their rows.

Run by ctest: recipes_check.py SOURCE_DIR BUILD_DIR. In the section "Two recipes from nothing" every block that begins with `# NAME` is a file; the
commands of its sh block are run in order.
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

SHORT = ["--set", "max_steps=3", "--set", "eval.limit=8", "--set", "threads=1"]
REMARKS = ("no reference", "no verifier", "could not be scored", "left out", "lose their end")


def main():
    source, build = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    text = (source / "docs" / "training.md").read_text()
    section = text[text.index("## Two recipes from nothing"):].split("\n## ", 1)[0]
    commands, wrong = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "build").symlink_to(build)
        for kind, block in re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL):
            if kind == "sh":
                commands += [line.split("  #")[0] for line in block.splitlines() if line.strip()]
            else:
                (scratch / block.splitlines()[0].removeprefix("# ").split()[0]).write_text(block)
        for command in commands:
            words = shlex.split(command)
            trains = words[0] == "build/assay" and words[1] in ("sft", "grpo")
            done = subprocess.run(words + (SHORT if trains else []), cwd=scratch, capture_output=True, text=True, check=False)
            remarks = [line for line in done.stderr.splitlines() if any(remark in line for remark in REMARKS)]
            if done.returncode != 0 or remarks:
                wrong += 1
                print(f"exit {done.returncode}: {command}\n{done.stdout}{done.stderr}")
    print(f"{len(commands)} commands of docs/training.md tried, {wrong} wrong")
    sys.exit(1 if wrong or not commands else 0)


if __name__ == "__main__":
    main()
