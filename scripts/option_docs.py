"""Puts the tables of options into docs/*.md and the schemas of options into docs/schemas/: what `assay-options` prints.

    option_docs.py SOURCE_DIR BUILD_DIR [--check]     --check writes nothing; exit 1 if a file is not what it should be

A table stands between the lines <!-- options: NAME --> and <!-- end of options -->.
"""

import json
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r"(<!-- options: (\S+) -->\n).*?(<!-- end of options -->)", re.DOTALL)


def wanted(source, build):
    """{path: text} of every file that holds something generated, and the names of tables that no page shows."""
    printed = json.loads(subprocess.run([build / "assay-options"], capture_output=True, text=True, check=True).stdout)
    texts = {source / "docs" / "schemas" / name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
             for name, schema in printed["schemas"].items()}
    shown = set()

    def block(match):
        shown.add(match[2])
        return match[1] + printed["tables"][match[2]] + match[3]

    for page in sorted((source / "docs").glob("*.md")):
        before = page.read_text()
        after = BLOCK.sub(block, before)
        if BLOCK.search(before):
            texts[page] = after
    return texts, sorted(printed["tables"].keys() - shown)


def main():
    source, build = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    check = "--check" in sys.argv[3:]
    texts, missing = wanted(source, build)
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if not check:
            path.write_text(texts[path])
        print(f"{'not up to date' if check else 'written'}: {path.relative_to(source)}")
    for name in missing:
        print(f"no page in docs/ has a table <!-- options: {name} -->")
    if check and stale:
        print("`make docs` writes them")
    print(f"{len(texts)} files with tables or schemas of options, {len(stale)} {'stale' if check else 'written'}")
    sys.exit(bool(missing or (check and stale)))


if __name__ == "__main__":
    main()
