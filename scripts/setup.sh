#!/usr/bin/env bash
# Installs what Assay needs to build, and only what is missing: system packages with apt (sudo only when not root),
# then LibTorch from one exactly pinned wheel, and nanobind for the Python package's module, into a private .venv. Never asks anything. Fast when nothing is missing.
#
#   TORCH_PREFIX=DIR   use that LibTorch (a folder with include/ and lib/): no wheel is installed
#   ASSAY_TRAIN=OFF    build without the trainer: no LibTorch at all
#
# Exit 0: ready to build (perhaps without training, which is said). Exit 1: a system package could not be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly torch_version=2.13.0
readonly nanobind_version=3.1.0
readonly python=/usr/bin/python3  # not whatever python3 is first on PATH: the jail embeds this one as well

say() { printf 'setup: %s\n' "$*" >&2; }

package_list() {
  local id="" version=""
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && { id=$(. /etc/os-release; echo "${ID:-}"); version=$(. /etc/os-release; echo "${VERSION_ID:-}"); }
  case "$id" in
    debian) echo scripts/packages-debian12.txt; [ "$version" = 12 ] || say "tried on Debian 12 only, this is Debian $version" ;;
    ubuntu) echo scripts/packages-ubuntu2404.txt; [ "$version" = 24.04 ] || say "tried on Ubuntu 24.04 only, this is Ubuntu $version" ;;
    *) say "no package list for '${id:-this system}': going on with what is installed (names for Debian: scripts/packages-debian12.txt)" ;;
  esac
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${binary:Package} ${db:Status-Status}\n' | sed -n 's/^\([^ :]*\)[^ ]* installed$/\1/p' | sort -u)
  comm -23 <(sort -u "$1") <(printf '%s\n' "$installed")
}

install_packages() {
  local missing
  missing=$(missing_packages "$1" | tr '\n' ' ')
  [ -z "$missing" ] && return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "these packages are missing, and this is neither root nor is there sudo: $missing"
      say "ask an administrator to run: apt-get install $missing"
      return 1
    fi
    as_root=(sudo)
  fi
  say "installing with apt: $missing"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  # An old package index names files that the mirror no longer has, so it is fetched anew.
  "${apt[@]}" update >&2 || say "apt-get update failed; trying with the index that is there"
  # shellcheck disable=SC2086
  "${apt[@]}" install -y --no-install-recommends $missing >&2 || {
    say "apt-get install failed (see above)"
    return 1
  }
}

make_venv() {
  [ -x .venv/bin/pip ] || "$python" -m venv .venv >&2
}

# What binds the libraries to Python (python/); without it all else is built.
install_nanobind() {
  compgen -G '.venv/lib/python3*/site-packages/nanobind/__init__.py' >/dev/null && return 0
  say "installing nanobind $nanobind_version into .venv"
  make_venv && .venv/bin/pip --quiet --disable-pip-version-check install --only-binary :all: "nanobind==$nanobind_version" >&2
}

have_torch() {
  grep -qs "^__version__ = '$torch_version" .venv/lib/python3*/site-packages/torch/version.py
}

install_torch() {
  if [ "${ASSAY_TRAIN:-}" = OFF ]; then
    say "ASSAY_TRAIN=OFF: building without the trainer"
    return 0
  fi
  if [ -n "${TORCH_PREFIX:-}" ]; then
    [ -e "$TORCH_PREFIX/include/torch/csrc/api/include/torch/torch.h" ] ||
      { say "TORCH_PREFIX=$TORCH_PREFIX holds no LibTorch (include/torch/csrc/api/include/torch/torch.h)"; return 1; }
    return 0
  fi
  have_torch && return 0
  say "installing LibTorch: the wheel torch $torch_version into .venv"
  make_venv || return 1
  # The CPU build ("+cpu") from wherever this machine's pip looks first, else from PyTorch's own index. PyPI's plain x86
  # wheel is the CUDA build with gigabytes of libraries behind it. We link against it and never import it, hence --no-deps.
  local build="$torch_version+cpu"
  [ "$(uname -m)" = x86_64 ] || build="$torch_version"
  local pip=(.venv/bin/pip --quiet --disable-pip-version-check install --no-deps --no-compile --only-binary :all:)
  "${pip[@]}" "torch==$build" 2>/dev/null ||
    "${pip[@]}" --retries 2 --index-url https://download.pytorch.org/whl/cpu "torch==$build" >&2
}

main() {
  local list
  list=$(package_list)
  if [ -n "$list" ]; then
    install_packages "$list"
  fi
  if ! install_torch; then
    say "LibTorch $torch_version could not be installed: training is off (assay-train is not built); all else works"
  fi
  install_nanobind || say "nanobind could not be installed: the Python package's module is not built; all else works"
}

main "$@"
