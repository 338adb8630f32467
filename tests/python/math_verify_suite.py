"""Math-Verify's own tests, run on assay.math_verify's `parse` and `verify` in the place of its own. From PyPI, never kept.

    math_verify_suite.py math-verify==0.9.0      (scripts/peers.py math-verify makes the environment)

Fetches the package's source archive, runs its tests/ with a module `math_verify` that is Assay's, and compares what fails with DIFFER: exit
status 1 if another test fails, or one of these passes.
"""

import pathlib
import subprocess
import sys
import tempfile

# Test (its id up to the parameters that matter) -> who is right, and why.
DIFFER = {
    "tests/test_yujianll.py::test_string_extraction[$1 - \\\\frac{1}{\\\\mathrm{e}}$-$1 + \\\\frac{1}{\\\\mathrm{e}}$-1]":
        "Assay: 1 - 1/e is not 1 + 1/e",
    "tests/test_all.py::test_precision": "neither: asks a function inside Math-Verify about SymPy objects",
    "tests/test_configs.py::test_boxed_match_priority": "convention: a box always counts, and before 'final answer is $9999$'",
    "tests/test_configs.py::test_normalization_config": "convention: \\frac12 is read whatever the normalization says",
    "tests/test_gamma_func.py::test_gamma_as_function": "neither: wants SymPy objects from parse",
    "tests/test_gamma_func.py::test_gamma_as_constant": "neither: wants SymPy objects from parse",
    "tests/test_raise_on_error.py::test_verify_raise_on_error": "neither: replaces a function inside Math-Verify by one that raises",
    "tests/test_timeout.py::test_timeout_expr": "neither: replaces a function inside Math-Verify by one that sleeps",
    "tests/test_timeout.py::test_timeout_latex": "neither: the same",
    "tests/test_timeout.py::test_timeout_verify": "neither: the same",
}

SHIM = {
    "__init__.py": "from assay.math_verify import *\n",
    "parser.py": "from assay.math_verify import *\n",
    "grader.py": "from assay.math_verify import verify\ndef sympy_expr_eq(*_, **__):\n    raise NotImplementedError('there are no SymPy objects here')\n",
}


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder, sys.argv[1]],
                       check=True)
        subprocess.run(["tar", "-xzf", next(folder.glob("*.tar.gz")), "-C", folder], check=True)
        suite = next(folder.glob("*/tests")).parent
        (suite / "tests/__init__.py").touch()
        module = suite / "math_verify"
        module.mkdir()
        for name, text in SHIM.items():
            (module / name).write_text(text)
        tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", "--tb=no", "tests"]
        ran = subprocess.run(tests, cwd=suite, capture_output=True, text=True, check=False)
    failed = {line[len("FAILED ") :].split(" - ")[0] if "[" not in line else line[len("FAILED ") :].rsplit("]", 1)[0] + "]"
              for line in ran.stdout.splitlines() if line.startswith("FAILED ")}
    print(ran.stdout.splitlines()[-1])
    new, gone = failed - set(DIFFER), set(DIFFER) - failed
    for name in sorted(failed & set(DIFFER)):
        print(f"  {name}: {DIFFER[name]}")
    for name in sorted(new):
        print(f"  NOT LISTED: {name}")
    for name in sorted(gone):
        print(f"  LISTED AND PASSES: {name}")
    sys.exit(1 if new or gone or not failed else 0)


if __name__ == "__main__":
    main()
