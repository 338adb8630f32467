#!/usr/bin/env bash
# The GPU's tests and benchmarks on a machine that has one, as a table. Builds first, unless told where programs are.
#
#   scripts/gpu.sh                     build in build-gpu against the LibTorch that `python3` has (or TORCH_PREFIX), then run
#   scripts/gpu.sh --programs DIR      run the programs in DIR (gpu_test, assay_bench_gpu)
#   scripts/gpu.sh --quick             without the larger shapes
#   scripts/gpu.sh --trl               TRL at the same work as well, where python3 has it (bench/trl_gpu.py)
#   HEADERS=PREFIX                     packages' headers and libraries unpacked by scripts/headers.sh
#
# JSON lines go to out/gpu.jsonl, the table to stdout. Exit 1: a test failed or a benchmark did not end well.
set -euo pipefail
cd "$(dirname "$0")/.."

programs=build-gpu quick="" trl="" build=1
while [ $# -gt 0 ]; do
  case "$1" in
    --programs) programs=$2 build="" && shift 2 ;;
    --quick) quick=1 && shift ;;
    --trl) trl=1 && shift ;;
    *) echo "unknown option '$1'" >&2 && exit 2 ;;
  esac
done

prefix=${TORCH_PREFIX:-$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' || true)}
[ -d "$prefix/lib" ] || { echo "error: no LibTorch: set TORCH_PREFIX" >&2 && exit 2; }
export LD_LIBRARY_PATH=$prefix/lib:${HEADERS:+$HEADERS/usr/lib/x86_64-linux-gnu:}${LD_LIBRARY_PATH:-}
mkdir -p out

if [ -n "$build" ]; then
  # shellcheck source=/dev/null
  [ -z "${HEADERS:-}" ] || . "$HEADERS/environment.sh"
  # The library of Python is the jail's alone, which is not built here.
  python=()
  ls /usr/lib/*/libpython3*.so > /dev/null 2>&1 || python=(-DASSAY_PYTHON_LIB=none)
  cmake --preset gpu -DTORCH_PREFIX="$prefix" "${python[@]}"
  cmake --build build-gpu -j "$(nproc)" --target gpu_test assay_bench_gpu
fi

: > out/gpu.jsonl
status=0
"$programs/gpu_test" || status=1
bench() { timeout 300 "$programs/assay_bench_gpu" "$@" | tee -a out/gpu.jsonl || status=1; }
bench grpo --steps 6
bench decode --steps 4
for rows in 64 512 1024; do bench decode --steps 2 --rows $rows --prompts $((rows / 8)); done
bench learn --micro 64 --new 512
bench learn --micro 64 --new 512 --checkpoint
bench learn --micro 64 --new 512 --plain --steps 2
if [ -z "$quick" ]; then
  bench decode --steps 1 --rows 256 --prompts 64 --new 8192 --mean 2048
  bench learn --micro 4 --new 8192 --steps 3
  for shape in 0.5b 1.5b 3b; do
    bench decode --shape $shape --steps 2
    bench learn --shape $shape --micro 16 --new 512 --steps 3
  done
fi
[ -z "$trl" ] || python3 bench/trl_gpu.py | tail -1 | tee -a out/gpu.jsonl || status=1
python3 - out/gpu.jsonl <<'PYTHON'
import json, sys

print(f"\n{'work':<12}{'shape':<7}{'rows x tokens':<16}{'seconds':>9}{'tokens/s':>11}{'of 790 TFLOP/s':>16}{'peak GB':>9}  notes")
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row["bench"] == "trl_gpu_grpo":
        print(f"TRL {row['trl']}: a step {row['step_s']:.2f} s, sampling {row['sample_s']:.2f} s ({row['sample_tok_s']:,.0f} tokens/s), "
              f"{row['peak_reserved_gb']:.1f} GB")
        continue
    work = row["bench"].removeprefix("gpu_")
    seconds = row.get("step_s") or row.get("seconds") or row["forward_s"] + row["backward_s"]
    tokens = row.get("sample_tok_s") if work != "learn" else row["train_tok_s"]
    rows = row["micro"] if work == "learn" else row["prompts"] * row["group"]
    used = f"{100 * row['utilisation']:.0f} %" if "utilisation" in row else ""
    notes = [name for name in ("plain", "checkpoint") if row[name]]
    if "mean_tokens" in row:
        notes.append(f"{row['mean_tokens']} tokens on average")
    if work == "grpo":
        notes += [f"{part} {row[part + '_s']:.3f} s" for part in ("sample", "reference", "backward", "update")]
    if work == "decode":
        notes.append(f"{row['ms_per_step']:.2f} ms a token step")
    print(f"{work:<12}{row['shape']:<7}{rows:>5} x {row['completion_tokens']:<8}{seconds:>9.3f}{tokens:>11,.0f}{used:>16}"
          f"{row['peak_reserved_gb']:>9.1f}  {', '.join(notes)}")
PYTHON
exit $status
