"""Every line of tests/cases/serve.jsonl against a running server: what clients of each family send, and what they must get."""

import json
import os
import pathlib
import sys

from serve_client import Server, case_differences

SOURCE = pathlib.Path(os.environ.get("ASSAY_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[3]))

# What a machine says that is too busy to judge: no answer to compare.
STARVED = "other work on this machine kept the program from running"


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    cases = [json.loads(line) for line in (SOURCE / "tests/cases/serve.jsonl").read_text().splitlines()]
    cases = [case for case in cases if only in case["name"]]
    failed = 0
    with Server() as server:
        for case in cases:
            for attempt in range(5):
                wrong = case_differences(server, case)
                if not any(STARVED in line for line in wrong):
                    break
            for line in wrong:
                print(f"{case['name']}: {line}")
            failed += bool(wrong)
        code = server.stop()
    print(f"{len(cases) - failed} of {len(cases)} cases; exit code {code}")
    sys.exit(1 if failed or code != 0 else 0)


if __name__ == "__main__":
    main()
