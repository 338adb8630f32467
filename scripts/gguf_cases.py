#!/usr/bin/env python3
"""Writes tests/cases/gguf_blocks.jsonl: blocks of every tensor type that we read and what the reference, PyPI's `gguf`, makes of them.

    python scripts/gguf_cases.py > tests/cases/gguf_blocks.jsonl      # needs gguf and numpy

Two blocks of a type in one line, in hexadecimal, with the weights as little-endian float32. Where the reference has a quantiser, the
first block is one of its own making; the others are random bits under scales of a usual size."""
import json

import gguf
import numpy as np

# The places of the float16 numbers in a block.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "IQ4_NL": [0], "IQ4_XS": [0], "BF16": []}


def random_block(name, size, rng, scale=0.2):
    block = rng.integers(0, 256, size, dtype=np.uint8)
    for place in SCALES[name]:
        block[place:place + 2] = np.frombuffer(np.float16(rng.uniform(-scale, scale)).tobytes(), np.uint8)
    if name == "MXFP4":
        block[0] = rng.integers(110, 130)
    if name == "BF16":
        block[:] = np.frombuffer(np.float32(rng.normal()).tobytes(), np.uint8)[2:]
    return block


def main():
    rng = np.random.default_rng(18)
    for name in SCALES:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = [random_block(name, size, rng) for _ in range(2)]
        try:
            blocks[0] = gguf.quantize(rng.normal(size=elements).astype(np.float32).reshape(1, -1), kind).reshape(-1).view(np.uint8)
        except NotImplementedError:
            pass
        data = np.concatenate(blocks).reshape(1, -1)
        weights = gguf.dequantize(data, kind).astype("<f4")
        print(json.dumps({"type": name, "number": int(kind), "elements": elements, "bytes": size, "blocks": data.tobytes().hex(),
                          "weights": weights.tobytes().hex()}))


if __name__ == "__main__":
    main()
