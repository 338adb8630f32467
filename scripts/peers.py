"""The Python package and the server before their peers' own code: virtual environments with the packages from PyPI, and the tests in them.

    peers.py [--build build] [--venvs build/peers] [--interpreter PYTHON [--wheel WHEEL]] [PEER ..]

Without names all of PEERS below but nemo-gym, one after the other; some gigabytes and a quarter of an hour the first time, so CI runs none of
it. The module must be built (build/python) for PYTHON's version, or stand in a WHEEL of scripts/wheel.sh; without --interpreter it is
.venv/bin/python. `nemo-gym` wants Python 3.12. One line a peer at the end; exit status 1 if a test failed or an environment could not be made. `math-verify` runs that package's own tests on assay.math_verify's parse and
verify (tests/python/math_verify_suite.py says which differ and why), `server` the clients of scripts/serve_clients.py.
"""

import argparse
import os
import pathlib
import subprocess
import sys

import virtual_env

ROOT = pathlib.Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"
RAY = "ray[data]==2.60.0"

# Packages; packages without what they depend on (a GPU's); which tests of tests/python/test_peers.py.
PEERS = {
    "trl": (["trl==1.16.0", TORCH], [], "trl or hugging_face"),
    "verifiers": (["verifiers==0.4.0"], [], "prime_verifiers_v1"),
    "verifiers-legacy": (["verifiers==0.1.14"], [], "prime_verifiers_legacy"),
    "ray": ([RAY, "pandas", "pyarrow"], [], "ray"),
    "verl": ([TORCH, RAY, "transformers==5.24.0", "datasets", "pandas", "hydra-core", "codetiming", "tensordict", "pylatexenc", "orjson",
              "cachetools", "aiohttp", "numpy"], ["verl==0.9.1"], "verl"),
    "openrlhf": ([TORCH, RAY, "transformers==5.24.0", "aiohttp"], ["openrlhf==0.11.2"], "openrlhf"),
    "math-verify": (["math-verify==0.9.0"], [], ""),
    "nemo-gym": (["uv"], [], "nemo_gym"),
    "server": ([], [], ""),
}

# What pip takes hours to resolve, and uv a minute.
BY_UV = {"nemo-gym": ["nemo-gym==0.4.0", "httpx"]}


def call(python, *arguments, **variables):
    environment = {**os.environ, "ASSAY_SOURCE_DIR": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "RAY_AUTH_MODE": "disabled", **variables}
    return subprocess.run([str(python), *(str(one) for one in arguments)], check=False, env=environment, cwd=variables["ASSAY_BUILD_DIR"]).returncode


def run_peer(name, options):
    """What came of it, in words; "ok" if all is well."""
    # Ray's workers import the tests, too.
    variables = {"ASSAY_BUILD_DIR": str(options.build), "PYTHONPATH": os.pathsep.join((str(options.build / "python"), str(ROOT / "tests/python")))}
    if name == "server":
        code = call(sys.executable, ROOT / "scripts/serve_clients.py", "--build", options.build, "--venv", options.venvs / name, **variables)
        return "ok" if code == 0 else "FAILED"
    packages, alone, tests = PEERS[name]
    folder = options.venvs / name
    fresh = not (folder / "installed").exists()
    python = virtual_env.python_of(folder, [*packages, "pytest"], options.interpreter)
    if python is None:
        return "FAILED: the packages cannot be installed"
    if alone and fresh and call(python, "-m", "pip", "install", "--quiet", "--no-deps", *alone, **variables) != 0:
        (folder / "installed").unlink()
        return f"FAILED: {' '.join(alone)} cannot be installed"
    if name in BY_UV and fresh and call(python, "-m", "uv", "pip", "install", "--quiet", "--python", python, *BY_UV[name], **variables) != 0:
        (folder / "installed").unlink()
        return f"FAILED: {' '.join(BY_UV[name])} cannot be installed"
    if options.wheel:
        if call(python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", options.wheel.resolve(), **variables) != 0:
            return f"FAILED: {options.wheel} cannot be installed"
        variables["PYTHONPATH"] = str(ROOT / "tests/python")
    if name == "math-verify":
        return "ok" if call(python, ROOT / "tests/python/math_verify_suite.py", packages[0], **variables) == 0 else "FAILED"
    # `-k` alone would pass where everything was skipped.
    report = options.build / "peers.txt"
    with open(report, "w", encoding="utf-8") as out:
        code = subprocess.run([python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", ROOT / "tests/python/test_peers.py", "-k", tests],
                              check=False, stdout=out, stderr=subprocess.STDOUT, cwd=options.build,
                              env={**os.environ, **variables, "ASSAY_SOURCE_DIR": str(ROOT), "RAY_AUTH_MODE": "disabled"}).returncode
    said = report.read_text()
    print(said, end="")
    skipped = [line for line in said.splitlines() if line.startswith("SKIPPED")]
    return "FAILED" if code != 0 else f"FAILED: {skipped[0]}" if skipped else "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--venvs", type=pathlib.Path)
    parser.add_argument("--interpreter", default=str(ROOT / ".venv/bin/python"))
    parser.add_argument("--wheel", type=pathlib.Path)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.venvs = (options.venvs or options.build / "peers").resolve()
    for name in options.peers:
        if name not in PEERS:
            parser.error(f"no peer '{name}': there are {', '.join(PEERS)}")
    results = {name: run_peer(name, options) for name in options.peers or [name for name in PEERS if name != "nemo-gym"]}
    for name, said in results.items():
        print(f"{name:18} {said}")
    sys.exit(0 if all(said == "ok" for said in results.values()) else 1)


if __name__ == "__main__":
    main()
