#!/usr/bin/env python3
"""Prints the bitmaps of grpo/files/gguf_grids.cc from the codebooks that PyPI's `gguf` has.

    python scripts/gguf_grids.py      # needs gguf and numpy

A codebook is a set of points in ascending order, read as numbers whose lowest digit is the first coordinate; so one bit for each
possible point says all. The digits of a string are in hexadecimal, four points each, the lowest bit the first of them."""
import gguf.quants
import numpy as np

KINDS = ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ3_XXS", "IQ3_S"]
WIDTH = 88


def bitmap(kind):
    kind.init_grid()
    values = list(kind.grid_map)
    digits = np.array([[values.index(value) for value in point] for point in kind.grid.reshape(kind.grid_shape)])
    codes = (digits * len(values) ** np.arange(digits.shape[1])).sum(axis=1)
    assert (np.diff(codes) > 0).all(), "the codebook is not in ascending order"
    bits = np.zeros((len(values) ** digits.shape[1] + 3) // 4 * 4, dtype=int)
    bits[codes] = 1
    return "".join(f"{digit:x}" for digit in (bits.reshape(-1, 4) * [1, 2, 4, 8]).sum(axis=1))


def main():
    for name in KINDS:
        text = bitmap(getattr(gguf.quants, name))
        title = "".join(part.capitalize() for part in name.split("_"))
        print(f"constexpr std::string_view k{title}Points =")
        lines = [text[i:i + WIDTH] for i in range(0, len(text), WIDTH)]
        print("\n".join(f'    "{line}"' for line in lines) + ";\n")


if __name__ == "__main__":
    main()
