#!/usr/bin/env bash
# What `make demo-train` shows, with its controls: other seeds (data, weights, sampling), and the same run with the rewards dealt out
# at random, which must learn nothing. SEEDS="2 3" and STEPS=200 (of the control) can be set. Files in out/sums-controls/.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly train=${ASSAY_TRAIN_PROGRAM:-${ASSAY_BUILD:-build}/assay-train}
readonly out=out/sums-controls
mkdir -p "$out"

for seed in ${SEEDS:-1 2 3}; do
  folder=$out/seed-$seed
  rm -rf "$folder"
  /usr/bin/python3 scripts/make_sums.py "$folder" "$seed"
  data=(--set "data.eval=$folder/eval.jsonl" --set "seed=$seed" ${THREADS:+--set threads=$THREADS})
  "$train" sft examples/sums/sft.toml --out "$folder/sft" "${data[@]}" --set "data.train=$folder/sft.jsonl"
  "$train" grpo examples/sums/grpo.toml --out "$folder/grpo" "${data[@]}" --set "data.train=$folder/train.jsonl" \
    --set "model.path=$folder/sft/model"
  "$train" grpo examples/sums/grpo.toml --out "$folder/control" "${data[@]}" --set "data.train=$folder/train.jsonl" \
    --set "model.path=$folder/sft/model" --set reward.shuffle=true --set max_steps="${STEPS:-200}"
  /usr/bin/python3 - "$folder" <<'PY'
import json, sys
for run in ("grpo", "control"):
    curve = [row["eval/pass@1"] for row in map(json.loads, open(f"{sys.argv[1]}/{run}/metrics.jsonl")) if "eval/pass@1" in row]
    print(f"{sys.argv[1]} {run}: held-out pass@1 from {100 * curve[0]:.1f} to {100 * curve[-1]:.1f} % (highest {100 * max(curve):.1f})")
PY
done
