"""Two processes that torchrun starts against one: the same curve and weights, and SIGTERM saves.

    torchrun_check.py --train build/assay-train --venv FOLDER --torch SITE

SITE is the folder with LibTorch's wheel (.venv/lib/python3.x/site-packages), whose torchrun is used in a virtual environment of its own,
made where it is missing (PyPI is needed). Exit 77 if that cannot be had, 1 where something differs.
"""

import argparse
import array
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import virtual_env

RECIPE = """
seed = 3
learning_rate = 1e-4
lr_scheduler_type = "constant"
per_device_train_batch_size = 8
save_steps = 0
threads = 1
[model]
tokenizer = "characters"
alphabet = "0123456789+="
[model.config]
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
[data]
train = "{data}"
"""


def metrics(folder):
    path = folder / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def weights(folder):
    data = (folder / "model" / "model.safetensors").read_bytes()
    values = array.array("f")
    values.frombytes(data[8 + struct.unpack("<Q", data[:8])[0]:])
    return values


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def check(condition, message):
    if not condition:
        sys.exit(f"torchrun_check: {message}")


def compare(one, two, keys=("loss", "grad_norm", "mean_token_accuracy")):
    check(len(metrics(one)) == len(metrics(two)) > 0, "not as many steps")
    for a, b in zip(metrics(one), metrics(two)):
        for key in keys:
            check(abs(a[key] - b[key]) <= 1e-5 + 1e-3 * abs(a[key]), f"{key} of step {a['step']}: {a[key]} and {b[key]}")
    mine, theirs = weights(one), weights(two)
    difference = sum(abs(x - y) for x, y in zip(mine, theirs)) / len(mine)
    check(len(mine) == len(theirs) and difference < 1e-6, f"weights differ by {difference} in the mean")
    print(f"the same curve; weights differ by {difference:.1e} in the mean")


class Runs:
    def __init__(self, python, train, folder):
        self.python, self.train, self.folder = python, train, folder
        with open(folder / "rows.jsonl", "w", encoding="utf-8") as rows:
            for a in range(100):
                rows.write(json.dumps({"prompt": f"{a // 10}+{a % 10}=", "completion": str(a // 10 + a % 10)}) + "\n")
        self.recipe = folder / "recipe.toml"
        self.recipe.write_text(RECIPE.format(data=folder / "rows.jsonl"))

    def words(self, out, steps, accumulation, shard="moments"):
        return [self.train, "sft", self.recipe, "--out", self.folder / out, "--set", f"max_steps={steps}", "--set",
                f"gradient_accumulation_steps={accumulation}", "--set", f"shard={shard}"]

    def alone(self, out, steps, *more):
        done = subprocess.run([*self.words(out, steps, 2), *more], check=False, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, f"one process ended with {done.returncode}")

    def torchrun(self, out, steps, how, shard):
        return subprocess.Popen([self.python, "-m", "torch.distributed.run", "--no-python", *how, "--nproc-per-node", "2",
                                 *self.words(out, steps, 1, shard)], stdin=subprocess.DEVNULL)


def check_interrupt(runs):
    """torchrun passes SIGTERM on; what was saved goes on alone."""
    runs.alone("undisturbed", 400)
    started = runs.torchrun("stopped", 400, ["--standalone"], "weights")
    while started.poll() is None and len(metrics(runs.folder / "stopped")) < 2:
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    started.wait()
    check(list((runs.folder / "stopped").glob("checkpoint-*")), "nothing was saved")
    print(f"SIGTERM saved at step {len(metrics(runs.folder / 'stopped'))}")
    if not (runs.folder / "stopped" / "model").exists():
        runs.alone("stopped", 400, "--resume")
    # Not the accuracy: where two tokens are as likely, rounding decides which is one's own, in one of 400 steps or not.
    compare(runs.folder / "undisturbed", runs.folder / "stopped", ("loss", "grad_norm"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=pathlib.Path, required=True)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--torch", type=pathlib.Path, required=True)
    options = parser.parse_args()
    python = virtual_env.beside_torch(options.venv, [], options.torch)
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM torchrun cannot be installed")
        sys.exit(77)
    os.environ["OMP_WAIT_POLICY"] = "passive"
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(python, options.train.resolve(), pathlib.Path(folder))
        runs.alone("one", 4)
        # Its own store, shared with us; and an address that the first process serves.
        for name, how in (("standalone", ["--standalone"]), ("static", ["--master-port", str(free_port())])):
            check(runs.torchrun(name, 4, how, "moments").wait() == 0, f"torchrun {' '.join(how)} failed")
            compare(runs.folder / "one", runs.folder / name)
        check_interrupt(runs)


if __name__ == "__main__":
    main()
