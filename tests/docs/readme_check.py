"""Every `$ build/assay ..` command in README.md runs and ends as it should, and prints what the README says it prints.

Run by ctest: readme_check.py SOURCE_DIR BUILD_DIR. Commands that the demo runs (they write to out/demo) are left to the demo.
Output in the README is compared where it stands under the command.
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile


def commands(readme):
    """(command, the lines under it) of each console block."""
    for block in re.findall(r"```console\n(.*?)```", readme, re.DOTALL):
        command, expected = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, expected
                command, expected = line[2:], []
            else:
                expected.append(line)
        if command:
            yield command, expected


def main():
    source, build = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    wrong = tried = 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "out").mkdir()
        for name in ("datasets", "examples"):
            (scratch / name).symlink_to(source / name)
        (scratch / "build").symlink_to(build)
        for command, expected in commands((source / "README.md").read_text()):
            words = shlex.split(command)
            if words[0] != "build/assay":
                continue
            tried += 1
            done = subprocess.run(words, cwd=scratch, capture_output=True, text=True, timeout=120, check=False)
            fine = (0, 1) if words[1] == "check" else (0,)
            if done.returncode not in fine:
                wrong += 1
                print(f"exit {done.returncode}: {command}\n{done.stderr}")
            elif expected and done.stdout.splitlines() != expected:
                wrong += 1
                print(f"{command}\n  README: {expected}\n  now:    {done.stdout.splitlines()}")
    print(f"{tried} commands of the README tried, {wrong} wrong")
    sys.exit(1 if wrong or not tried else 0)


if __name__ == "__main__":
    main()
