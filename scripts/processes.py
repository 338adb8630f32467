#!/usr/bin/env python3
"""What several processes on a CPU do beside one: the same curve, and how much memory each takes.

    python3 scripts/processes.py --train build/assay-train --out out/processes

Trains a decoder of random weights on sums (supervised, a few steps) with 1, 2 and 4 processes and each value of `shard`, and prints a
row for each run: the last loss, how far the weights are from the single process's (mean), the resident memory of a process at most
while it trains (from the first step's end to the last's, so without loading and saving), and the seconds of a step.
"""

import argparse
import array
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

RECIPE = """
seed = 1
learning_rate = 1e-4
lr_scheduler_type = "constant"
per_device_train_batch_size = {rows}
max_steps = {steps}
save_steps = 0
threads = 1
[model]
tokenizer = "characters"
alphabet = "0123456789+="
[model.config]
hidden_size = {hidden}
intermediate_size = {inner}
num_hidden_layers = {layers}
num_attention_heads = {heads}
num_key_value_heads = {heads}
max_position_embeddings = 32
[data]
train = "{data}"
"""


def resident(pid):
    """Bytes, or 0 where the process is gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def children(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def steps_of(folder):
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def run(train, recipe, folder, count, shard, steps):
    shutil.rmtree(folder, ignore_errors=True)
    words = [train, "sft", str(recipe), "--out", str(folder), "--quiet", "--set", f"shard={shard}",
             "--set", f"gradient_accumulation_steps={4 // count}"]
    if count > 1:
        words += ["--processes", str(count)]
    started = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    most = {}
    while started.poll() is None:
        done = len(steps_of(folder))
        if 1 <= done < steps:
            for pid in children(started.pid) if count > 1 else [started.pid]:
                most[pid] = max(most.get(pid, 0), resident(pid))
        time.sleep(0.03)
    if started.returncode != 0:
        sys.exit(f"{' '.join(words)} ended with {started.returncode}")
    return steps_of(folder), sorted(most.values())


def weights(folder):
    """How many there are, and every 101st."""
    data = (folder / "model" / "model.safetensors").read_bytes()
    header = struct.unpack("<Q", data[:8])[0]
    values = array.array("f")
    values.frombytes(data[8 + header:])
    return len(values), values[::101]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default="build/assay-train")
    parser.add_argument("--out", default="out/processes")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4)
    a = parser.parse_args()
    out = pathlib.Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "rows.jsonl", "w") as file:
        for left in range(100, 400):
            file.write(json.dumps({"prompt": f"{left}+{left // 3}=", "completion": str(left + left // 3)}) + "\n")
    recipe = out / "recipe.toml"
    recipe.write_text(RECIPE.format(rows=a.rows, steps=a.steps, hidden=a.hidden, inner=3 * a.hidden, layers=a.layers,
                                    heads=a.hidden // 64, data=out / "rows.jsonl"))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    alone = None
    for count, shard in [(1, "none"), (2, "none"), (2, "moments"), (2, "weights"), (4, "moments"), (4, "weights")]:
        folder = out / f"{count}-{shard}"
        lines, memory = run(a.train, recipe, folder, count, shard, a.steps)
        parameters, values = weights(folder)
        alone = alone or values
        difference = sum(abs(x - y) for x, y in zip(values, alone)) / len(values)
        print(json.dumps({"processes": count, "shard": shard, "parameters": parameters,
                          "losses": [round(line["loss"], 6) for line in lines], "weights_off_by": difference,
                          "mib_of_a_process": [size >> 20 for size in memory],
                          "step_s": round(min(line["step_time"] for line in lines), 2)}), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
