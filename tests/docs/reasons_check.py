"""Every reason that the sources can give is listed in docs/reasons.md, and nothing is listed that they cannot give.

Run by ctest: reasons_check.py SOURCE_DIR.
"""

import pathlib
import re
import sys

PATTERNS = [
    r'Verdict::(?:Fail|Fault|Abstain|Pass)\(\s*"([a-z_]+)"',  # verifiers and the rubric
    r'\bfault\(\s*"([a-z_]+)"',                                # the tester in the jail
    r'\["?reason"?\]\s*=\s*"([a-z_]+)"',
    r'"reason":\s*"([a-z_]+)"',
    r'\breason="([a-z_]+)"',
]
CAUSE = r'return "([a-z_]+)";'
CAUSES_ONLY_IN_RESULTS = {"fault"}  # of a RunResult; a verdict says sandbox_fault


def given(source):
    found = {}
    for path in source.glob("sandbox/*.cc"):
        names = re.search(r"CauseName\(Cause .*?\n}", path.read_text(), re.DOTALL)
        found.update((reason, "CauseName") for reason in re.findall(CAUSE, names.group() if names else ""))
    for path in [*source.glob("verifiers/**/*.cc"), *source.glob("python/*.cc"), *source.glob("sandbox/jail/*.py")]:
        text = path.read_text()
        for pattern in PATTERNS:
            found.update((reason, path.relative_to(source)) for reason in re.findall(pattern, text))
    return found


def main():
    source = pathlib.Path(sys.argv[1])
    listed = set(re.findall(r"^\| `([a-z0-9_]+)` \|", (source / "docs" / "reasons.md").read_text(), re.MULTILINE))
    found = given(source)
    missing = {reason: path for reason, path in found.items() if reason not in listed | CAUSES_ONLY_IN_RESULTS}
    for reason, path in sorted(missing.items()):
        print(f"docs/reasons.md does not list '{reason}', which {path} gives")
    sources = "\n".join(path.read_text() for room in ("verifiers", "sandbox", "python") for path in source.glob(f"{room}/**/*.*")
                        if path.suffix in (".cc", ".h", ".py"))
    stale = sorted(reason for reason in listed if f'"{reason}"' not in sources)
    for reason in stale:
        print(f"docs/reasons.md lists '{reason}', which nothing gives")
    print(f"{len(found)} reasons in the sources, {len(listed)} listed")
    sys.exit(1 if missing or stale else 0)


if __name__ == "__main__":
    main()
