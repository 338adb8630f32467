"""`assay serve` before clients of others: the documented examples of the PyPI client sandbox-fusion, and schemathesis, which makes up
requests from /openapi.json and looks for status 500 and for answers that the document does not describe. Fetches both from PyPI into a virtual environment.

    serve_clients.py --build build --venv .clients [--examples 50]
"""

import argparse
import os
import pathlib
import subprocess
import sys

import virtual_env

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/cli/serve"))
PACKAGES = ["sandbox-fusion==0.3.7", "schemathesis==4.32.5"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"

EXAMPLES = '''
import asyncio, base64, sys
import sandbox_fusion as sf
sf.set_endpoint(sys.argv[1])
Request = sf.RunCodeRequest
assert sf.run_code(Request(code='print("Hello, world!")', language="python")).run_result.stdout == "Hello, world!\\n"
async def later():
    return await sf.run_code_async(Request(code="print(123)", language="python"))
assert asyncio.run(later()).run_result.stdout == "123\\n"
many = sf.run_concurrent(sf.run_code, args=[[Request(code=f"print({i} * 3)", language="python")] for i in range(24)])
assert [one.run_result.stdout for one in many] == [f"{i * 3}\\n" for i in range(24)]
compiled = sf.run_code(Request(code='#include <cstdio>\\nint main() { puts("hi"); }', language="cpp"))
assert compiled.compile_result.return_code == 0 and compiled.run_result.stdout == "hi\\n"
copied = sf.run_code(Request(code='open("b", "w").write(open("a").read())', language="python", files={"a": base64.b64encode(b"in").decode()}, fetch_files=["b"]))
assert base64.b64decode(copied.files["b"]) == b"in"
names = sf.SummaryMapping(Success="ok", Failed="failed", CompileFailed="compile", RunFailed="run", RunTimeout="time")
for code, language, more, want in [("1", "python", {}, "ok"), ("1/0", "python", {}, "run"), ("while True: pass", "python", {"run_timeout": 2}, "time"), ("int main() { x }", "cpp", {}, "compile")]:
    got = sf.summary_run_code_result(sf.run_code(Request(code=code, language=language, **more)), names)
    assert got == want, (code, got)
print("sandbox-fusion: its examples give what they promise")
'''


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--venv", default=".clients")
    parser.add_argument("--examples", default="50", help="requests that schemathesis makes up for each route")
    options = parser.parse_args()
    os.environ["ASSAY_BUILD_DIR"] = options.build
    from serve_client import Server
    python = virtual_env.python_of(options.venv, PACKAGES)
    if python is None:
        sys.exit("the packages cannot be installed: no PyPI")
    with Server("--max-run-seconds", "2", "--max-memory-mib", "256", jobs=4) as server:
        url = f"http://127.0.0.1:{server.port}"
        examples = subprocess.run([python, "-c", EXAMPLES, url], check=False).returncode
        made_up = subprocess.run(
            [python.parent.absolute() / "schemathesis", "run", f"{url}/openapi.json", "--checks", CHECKS, "--max-examples", options.examples,
             "--request-timeout", "60", "--seed", "1", "--no-color"], check=False, cwd=options.venv).returncode  # where it leaves files
        status = server.stop()
    sys.exit(1 if examples or made_up or status else 0)


if __name__ == "__main__":
    main()
