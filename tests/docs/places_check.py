"""Every file and folder of the project that the documents name exists.

Run by ctest: places_check.py SOURCE_DIR BUILD_DIR. A place is a path in backquotes that starts with one of the project's own folders; `*`
stands for any part of a name, `{a,b}` for either.
"""

import glob
import pathlib
import re
import sys

FOLDERS = "core|sandbox|verifiers|datagen|grpo|cli|python|datasets|tests|bench|scripts|cmake|docs|examples"
# What a document names as something that its reader writes.
TO_BE_WRITTEN = re.compile(r"NAME|<|\.\.\.")


def alternatives(place):
    match = re.search(r"\{([^}]*)\}", place)
    if match is None:
        return [place]
    return [one for part in match[1].split(",") for one in alternatives(place[: match.start()] + part + place[match.end() :])]


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    seen, missing = 0, []
    for page in [source / "README.md", source / "CONTRIBUTING.md", *sorted((source / "docs").glob("*.md"))]:
        for place in re.findall(rf"`((?:{FOLDERS})/[\w./*{{}},-]*)`", page.read_text()):
            if TO_BE_WRITTEN.search(place):
                continue
            seen += 1
            for one in alternatives(place):
                if not glob.glob(str(source / one)) and not glob.glob(str(source / (one + ".*"))):
                    missing.append(f"{page.name}: `{place}` is not there")
    print("\n".join(missing) or f"{seen} places named in the documents, all there")
    sys.exit(1 if missing or not seen else 0)


if __name__ == "__main__":
    main()
