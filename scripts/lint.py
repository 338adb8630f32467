"""clang-format and clang-tidy (.clang-format, .clang-tidy) and the table of rooms (rooms.py) on the project's own files; exit 1 if any
has something to say.

    lint.py --build build [-j N] [--torch] [--no-tidy] [FILE..]

Sources that are compiled against LibTorch cost clang-tidy half a minute each and are left out unless --torch is given or they are named.
A file that clang-tidy found clean is not looked at again until it, a header of the project or the list of checks changes.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import rooms

ROOT = pathlib.Path(__file__).resolve().parent.parent


def own_files():
    listing = subprocess.run(["git", "ls-files", "*.cc", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).exists()]


def is_formatted(path):
    result = subprocess.run(["clang-format", str(path)], capture_output=True, check=True)
    return result.stdout == path.read_bytes()


def write_tidy_database(build, folder):
    """compile_commands.json without what only gcc understands: its precompiled headers and the name of one warning."""
    entries = json.loads((build / "compile_commands.json").read_text())
    for entry in entries:
        words = entry.pop("command").split()
        kept = []
        for word in words:
            if word in ("-Winvalid-pch", "-Wno-restrict"):
                continue
            if word.endswith("cmake_pch.hxx") and kept and kept[-1] == "-include":
                kept.pop()
                continue
            kept.append(word)
        entry["command"] = " ".join(kept)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    return {str(pathlib.Path(entry["file"]).resolve()): entry["command"] for entry in entries}


def headers_digest(files):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for path in sorted(files):
        if path.suffix == ".h":
            digest.update(path.read_bytes())
    return digest.hexdigest()


def tidy(path, folder, command, shared):
    """None if clean, else clang-tidy's words."""
    key = hashlib.sha256(path.read_bytes() + command.encode() + shared.encode()).hexdigest()
    stamp = folder / "clean" / key
    if stamp.exists():
        return None
    result = subprocess.run(
        ["clang-tidy", "--quiet", "-p", str(folder), str(path)], capture_output=True, text=True, check=False)
    if result.returncode == 0:
        stamp.parent.mkdir(exist_ok=True)
        stamp.touch()
        return None
    return result.stdout + result.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--no-tidy", action="store_true", help="clang-format alone")
    parser.add_argument("--torch", action="store_true", help="clang-tidy on what is compiled against LibTorch as well")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()

    files = own_files()
    shared = headers_digest(files)
    if options.files:
        files = [path.resolve() for path in options.files]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        unformatted = [path for path, fine in zip(files, pool.map(is_formatted, files)) if not fine]
    for path in unformatted:
        print(f"not formatted: {path.relative_to(ROOT)}")
    failed = bool(unformatted)
    if failed:
        print("lint: `make format` rewrites these files", file=sys.stderr)
    for complaint in rooms.complaints(str(path.relative_to(ROOT)) for path in files):
        failed = True
        print(f"room: {complaint}")
    if options.no_tidy:
        sys.exit(failed)

    build = pathlib.Path(options.build).resolve()
    folder = build / "lint"
    commands = write_tidy_database(build, folder)
    sources = [path for path in files if str(path) in commands]
    if not options.torch and not options.files:
        every = len(sources)
        sources = [path for path in sources if "/torch/csrc/api/include" not in commands[str(path)]]
        print(f"lint: {every - len(sources)} files with LibTorch are left out of clang-tidy (--torch takes them in)")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for complaint in pool.map(lambda path: tidy(path, folder, commands[str(path)], shared), sources):
            if complaint is not None:
                failed = True
                print(complaint)
    print(f"lint: {len(files)} files formatted, {len(sources)} through clang-tidy: {'complaints' if failed else 'clean'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
