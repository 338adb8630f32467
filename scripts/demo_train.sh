#!/usr/bin/env bash
# A decoder of 1.5 million parameters learns three-digit sums from random weights: supervised until it gets about 30 % of
# held-out problems right, then GRPO by the math verifier's reward alone. Run by `make demo-train`; --short is the cut in `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly assay=${ASSAY_BUILD:-build}/assay
readonly out=out/sums
limits=()
if [ "${1:-}" = --short ]; then
  limits=(--set max_seconds=45)
fi
if ! [ -x "${assay}-train" ]; then
  echo "training is off: assay-train was not built (see 'make setup')"
  exit 0
fi

rm -rf "$out"
/usr/bin/python3 scripts/make_sums.py "$out"
printf '\n\033[1mSupervised, up to about 30 %% of held-out sums\033[0m\n'
"$assay" sft examples/sums/sft.toml --out "$out/sft" "${limits[@]}"
printf '\n\033[1mFrom there by reward alone (GRPO)\033[0m\n'
"$assay" grpo examples/sums/grpo.toml --out "$out/grpo" "${limits[@]}"
"$assay" curve "$out/sft" "$out/grpo" --key eval/pass@1
"$assay" curve "$out/sft" "$out/grpo" -o "$out/curve.html"
