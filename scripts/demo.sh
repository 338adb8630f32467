#!/usr/bin/env bash
# The main job on the built-in data: score groups of replies, keep them in a store, select the right ones, export a data set.
# Run by `make demo`, which builds first. Files go to out/demo/, which is emptied before.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly out=out/demo
readonly assay=build/assay
rm -rf "$out"
mkdir -p "$out"

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}

step "1. Score sampled replies: verdicts, rewards, group-relative advantages"
run $assay score datasets/demo_math.jsonl --rubric examples/r1.toml -o $out/math.scored.jsonl --store $out/demo.sqlite --run math
run $assay score datasets/demo_code.jsonl --rubric examples/r1-code.toml -o $out/code.scored.jsonl --store $out/demo.sqlite --run code

step "2. How often do the verdicts agree with the labels written by hand?"
run $assay agree --labels labels $out/math.scored.jsonl

step "3. Rejection sampling into data sets, and out as files for a trainer"
run $assay select --store $out/demo.sqlite --run math --strategy all-correct --dataset math-sft
run $assay select --store $out/demo.sqlite --run code --strategy best-of-n --dataset code-sft
run $assay export --store $out/demo.sqlite --dataset math-sft --format trl-sft -o $out/math-sft.jsonl
run $assay export --store $out/demo.sqlite --dataset code-sft --format trl-sft -o $out/code-sft.jsonl

step "4. One task and its four replies"
/usr/bin/python3 scripts/demo_show.py replies datasets/demo_code.jsonl $out/code.scored.jsonl

if [ -x ${assay}-train ]; then
  step "5. A small model learns from such rewards (a cut of \`make demo-train\`)"
  scripts/demo_train.sh --short

  step "6. R1-Zero in small: a base model, then reward alone (a cut of \`make demo-r1\`)"
  run $assay pipeline datasets/recipes/r1-zero-tiny.toml --out $out/r1-zero --until eval-zero \
    --set base.max_steps=150 --set base-sums.count=9600 --set zero.max_steps=15 --set zero.eval.steps=0
fi

step "7. What came of it"
$assay stats --store $out/demo.sqlite > $out/stats.txt
$assay stats --store $out/demo.sqlite --output-format json | /usr/bin/python3 scripts/demo_show.py summary
cat <<EOF

  $out/math.scored.jsonl, code.scored.jsonl   verdicts, rewards and advantages, a line for each problem
  $out/math-sft.jsonl, code-sft.jsonl         data sets for TRL's SFT trainer
  $out/r1-zero/report.html                    the page of the small R1-Zero run, where training is built
  $out/demo.sqlite                            all of it, traceable; $out/stats.txt says what is in it
EOF
