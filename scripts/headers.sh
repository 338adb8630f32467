#!/usr/bin/env bash
# For a machine that has a compiler and CMake but not the headers of our libraries, and where nothing can be installed (a rented
# GPU): unpacks the packages of this system's list into a folder that can be carried there. Run it on any machine of the same
# Debian or Ubuntu release that reaches a mirror; no root needed.
#
#   scripts/headers.sh PREFIX     then, there:  . PREFIX/environment.sh && cmake --preset gpu -DTORCH_PREFIX=..
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# = 1 ] || { echo "usage: scripts/headers.sh PREFIX" >&2 && exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
list=scripts/packages-debian12.txt
grep -qs '^ID=ubuntu' /etc/os-release && list=scripts/packages-ubuntu2404.txt

# Libraries and headers of the list and of what it needs; not the compilers, Python, and what every system has.
mapfile -t wanted < <(grep -E '^lib|^zlib' "$list" | grep -v -E 'clang|benchmark')
# pkg-config itself may be missing there too.
mapfile -t all < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances "${wanted[@]}" | grep -E '^(lib|zlib|icu)' | grep -v -E '^(libc6|libgcc|libstdc|libc-|libcrypt|perl|libperl)' | sort -u)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && apt-get -qq download "${all[@]}" pkgconf pkgconf-bin libpkgconf3)
for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$prefix"; done
rm -rf "$prefix"/usr/share/{doc,man,locale}
# Static libraries are large and not linked, but for the test framework, which has no other.
find "$prefix" -name "*.a" ! -name "libg*.a" -delete

cat > "$prefix/environment.sh" <<'ENVIRONMENT'
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:$here/usr/bin CMAKE_PREFIX_PATH=$here/usr PKG_CONFIG_SYSROOT_DIR=$here
export PKG_CONFIG_LIBDIR=$here/usr/lib/x86_64-linux-gnu/pkgconfig:$here/usr/share/pkgconfig
export CPATH=$here/usr/include:$here/usr/include/x86_64-linux-gnu
export LIBRARY_PATH=$here/usr/lib/x86_64-linux-gnu LD_LIBRARY_PATH=$here/usr/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}
ENVIRONMENT
echo "$(du -sh "$prefix" | cut -f1) in $prefix"
