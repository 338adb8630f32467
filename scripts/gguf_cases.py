#!/usr/bin/env python3
"""Writes tests/cases/gguf_blocks.jsonl: blocks of every tensor type that we read and what the reference, PyPI's `gguf`, makes of them.

    python scripts/gguf_cases.py > tests/cases/gguf_blocks.jsonl      # needs gguf and numpy

Two blocks of a type in one line, in hexadecimal, with the weights as little-endian float32. Where the reference has a quantiser, the
first block is one of its own making; the others are random bits under scales of a usual size. Types with a codebook have a second
line whose blocks name every point of it, with a sum (FNV-1a, 64 bits) of the weights' bytes in place of the weights."""
import json

import gguf
import numpy as np

# The places of the float16 numbers in a block.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "IQ4_NL": [0], "IQ4_XS": [0], "BF16": [], "NVFP4": [],
          "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0],
          "Q8_1": [0, 2], "Q8_K": [], "Q1_0": [0]}
# What the reference does not read (0.19: types that only stand in memory, and one that is new): bytes of a block, and its weights as ggml
# has them.
OURS = {"Q8_1": (36, lambda b: half(b, 0) * b[4:].view(np.int8)), "Q8_K": (292, lambda b: b[:4].view("<f4")[0] * b[4:260].view(np.int8)),
        "Q1_0": (18, lambda b: half(b, 0) * (2.0 * np.unpackbits(b[2:], bitorder="little") - 1))}
POINTS = {"IQ1_S": 2048, "IQ1_M": 2048, "IQ2_XXS": 256, "IQ2_XS": 512, "IQ2_S": 1024, "IQ3_XXS": 256, "IQ3_S": 512}


def half(block, place):
    return np.float32(block[place:place + 2].view("<f2")[0])


def random_block(name, size, rng, scale=0.2):
    block = rng.integers(0, 256, size, dtype=np.uint8)
    for place in SCALES[name]:
        block[place:place + 2] = np.frombuffer(np.float16(rng.uniform(-scale, scale)).tobytes(), np.uint8)
    if name == "MXFP4":
        block[0] = rng.integers(110, 130)
    if name == "BF16":
        block[:] = np.frombuffer(np.float32(rng.normal()).tobytes(), np.uint8)[2:]
    if name == "NVFP4":
        block[:4] = rng.integers(0, 128, 4)
    if name == "Q8_K":
        block[:4] = np.frombuffer(np.float32(rng.uniform(-scale, scale)).tobytes(), np.uint8)
    if name == "IQ1_M":  # a quarter of the scale in the upper half of every other byte
        bits = int(np.float16(rng.uniform(-scale, scale)).view(np.uint16))
        for k in range(4):
            block[49 + 2 * k] = (block[49 + 2 * k] & 15) | (bits >> (4 * k) & 15) << 4
    return block


def set_points(name, block, first):
    """The block's points, in order from `first`."""
    at = {"IQ1_M": 0}.get(name, 2)
    for i in range(64 if name in ("IQ3_XXS", "IQ3_S") else 32):
        index = (first + i) % POINTS[name]
        if name == "IQ2_XXS":
            block[2 + 8 * (i // 4) + i % 4] = index
        elif name == "IQ2_XS":
            block[2 + 2 * i] = index & 255
            block[3 + 2 * i] = (block[3 + 2 * i] & 254) | index >> 8
        else:
            block[at + i] = index & 255
        place, bit, mask = {"IQ1_S": (34 + 2 * (i // 4) + 3 * (i % 4) // 8, 3 * (i % 4) % 8, 7), "IQ1_M": (32 + i // 2, 4 * (i % 2), 7),
                            "IQ2_S": (66 + i // 4, 2 * (i % 4), 3), "IQ3_S": (66 + i // 8, i % 8, 1)}.get(name, (None, 0, 0))
        if place is not None:
            high = (index >> 8) << bit
            for k, byte in enumerate([high & 255, high >> 8]):
                kept = ~((mask << bit) >> 8 * k) & 255
                if kept != 255:
                    block[place + k] = (block[place + k] & kept) | byte


def fnv(data):
    digest = 0xcbf29ce484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001b3 % 2**64
    return f"{digest:016x}"


def weights_of(name, kind, data):
    if name in OURS:
        return np.concatenate([OURS[name][1](block) for block in data.reshape(-1, OURS[name][0])]).astype("<f4")
    return gguf.dequantize(data.reshape(1, -1), kind).astype("<f4")


def main():
    rng = np.random.default_rng(18)
    for name in SCALES:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        size = OURS[name][0] if name in OURS else size
        blocks = [random_block(name, size, rng) for _ in range(2)]
        try:
            blocks[0] = gguf.quantize(rng.normal(size=elements).astype(np.float32).reshape(1, -1), kind).reshape(-1).view(np.uint8)
        except NotImplementedError:
            pass
        data = np.concatenate(blocks)
        head = {"type": name, "number": int(kind), "elements": elements, "bytes": size}
        print(json.dumps({**head, "blocks": data.tobytes().hex(), "weights": weights_of(name, kind, data).tobytes().hex()}))
        if name in POINTS:
            points = POINTS[name] * (8 if "IQ3" not in name else 4)
            blocks = [random_block(name, size, rng) for _ in range(points // elements)]
            for i, block in enumerate(blocks):
                set_points(name, block, i * POINTS[name] // len(blocks))
            data = np.concatenate(blocks)
            print(json.dumps({**head, "blocks": data.tobytes().hex(), "fnv": fnv(weights_of(name, kind, data).tobytes())}))


if __name__ == "__main__":
    main()
