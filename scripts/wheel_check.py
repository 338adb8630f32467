"""Tries built wheels as their users do: a fresh virtual environment for each, `pip install WHEEL`, and what docs/python.md promises first.

    wheel_check.py [--trl] [--keep FOLDER] WHEEL..     (out/wheels/*.whl of scripts/wheel.sh)

For a wheel of Python X.Y the interpreter is `pythonX.Y` on PATH, or the newest of pyenv's. Nothing of the clone is on the path. With --trl TRL
and a CPU torch are installed as well, and examples/python/trl_grpo.py is run. Exit status 1 if anything differs.
"""

import argparse
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"


def trl_of(version):
    """The newest TRL for a version of Python: from 1.15 on it wants 3.11."""
    return "trl==1.14.2" if version == "cp310" else "trl==1.16.0"


TRIES = r'''
import sys, time
begin = time.perf_counter()
import assay
print("import ms", round(1000 * (time.perf_counter() - begin)))
assert assay.check("1/2", "0.5")
print(assay.check("1/2", "0.5"))
said = assay.doctor()
print("sandbox", said["tier"] if "tier" in said else "", said["python"])
ran = assay.Sandbox().run("import sys, math, json, ssl, sqlite3, ctypes, decimal; print('%d.%d.%d' % sys.version_info[:3])", "python")
assert ran.cause == "ok", (ran.cause, ran.stderr)
assert ran.stdout.strip() == "%d.%d.%d" % sys.version_info[:3], (ran.stdout, sys.version)
ran = assay.Sandbox().run("import wheel_check_package; print(wheel_check_package.WORD)", "python")
assert ran.stdout == "there\n", (ran.cause, ran.stderr)
tests = {"asserts": "assert f(1) == 2"}
assert assay.check(tests, "def f(x): return x + 1", "code") and not assay.check(tests, "def f(x): return x", "code")
assert assay.score([{"completion": "\\boxed{4}", "answer": "4"}], assay.math() + 0.2 * assay.format()).rewards == [1.0]
assert assay.trl.reward("math")(prompts=["2+2?"], completions=["4"], answer=["4"]) == [1.0]
assert "torch" not in sys.modules
'''


def interpreter_of(wheel):
    version = re.search(r"-cp3(\d+)-", wheel.name)
    if version is None:
        sys.exit(f"{wheel.name} is not for one version of Python")
    name = f"python3.{version[1]}"
    found = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/3.{version[1]}.*/bin/{name}")))
    return found[-1] if found else shutil.which(name) or sys.exit(f"no {name} here")


def run(*call, **more):
    done = subprocess.run([str(part) for part in call], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(part) for part in call[:4])} ..:\n{done.stdout[-3000:]}")
    return done.stdout


def try_wheel(wheel, folder, with_trl):
    """The lines that were printed."""
    run(interpreter_of(wheel), "-m", "venv", folder)
    python = folder / "bin/python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "-q", "install")
    run(*pip, wheel)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (pathlib.Path(site) / "wheel_check_package.py").write_text("WORD = 'there'\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ASSAY", "LD_"))}
    said = run(python, "-c", TRIES, cwd=folder, env=environment)
    said += run(folder / "bin/assay", "check", "1/2", "0.5", cwd=folder, env=environment)
    (folder / "own.py").write_text("import sys, ssl, sqlite3, wheel_check_package; print(*sys.version_info[:3], wheel_check_package.WORD)\n")
    in_box = run(folder / "bin/assay", "run", "own.py", cwd=folder, env=environment)
    outside = run(python, "own.py", cwd=folder, env=environment)
    if not in_box.startswith(outside):
        raise RuntimeError(f"`assay run` said {in_box}, its Python {outside}")
    if with_trl:
        run(*pip, trl_of(folder.name), TORCH)
        run(python, ROOT / "examples/python/trl_grpo.py", folder / "trl", cwd=folder, env=environment)
        said += "TRL's trainer ran its 20 steps\n"
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path, help="make the environments here and leave them")
    parser.add_argument("wheels", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        for wheel in options.wheels:
            folder = (options.keep or pathlib.Path(temporary)).resolve() / wheel.name.split("-")[2]
            try:
                said = try_wheel(wheel.resolve(), folder, options.trl)
                print(f"{wheel.name}: ok", *said.splitlines(), sep="\n  ")
            except RuntimeError as error:
                bad += 1
                print(f"{wheel.name}: FAILED\n{error}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
