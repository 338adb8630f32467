#!/usr/bin/env python3
"""parity_peft.py BASE ADAPTER MERGED: PEFT's model (the adapter in the folder ADAPTER beside the weights of BASE) against the folder MERGED, as a
run with use_peft leaves them in DIR/adapter and DIR/model: logits of random tokens. Needs torch, transformers and peft. Exit 1 when
they differ by more than float32 rounding."""
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

TOLERANCE = 1e-4


def main():
    base, adapter, merged = sys.argv[1:4]
    models = [AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval() for path in (base, base, merged)]
    models[1] = PeftModel.from_pretrained(models[1], adapter).eval()
    torch.manual_seed(0)
    tokens = torch.randint(0, models[0].config.vocab_size, (4, 24))
    with torch.no_grad():
        plain, theirs, ours = (model(tokens).logits for model in models)
    difference = (theirs - ours).abs().max().item()
    moved = (theirs - plain).abs().max().item()
    print(f"largest difference of logits {difference:.2e}; the adapter moves them by up to {moved:.2e}")
    return 0 if moved > 0 and difference <= TOLERANCE * max(1.0, theirs.abs().max().item()) else 1


sys.exit(main())
