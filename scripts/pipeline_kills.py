"""pipeline_kills.py --build DIR [--kills N] [--seed S]: kills a small pipeline at random moments (SIGKILL, all of its processes) and runs it
again until it is done. What every stage left must be what an undisturbed run leaves: data sets byte for byte, weights too. Exit 1 if not.
"""

import argparse
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

RECIPE = """
name = "kills"
seed = 3
[models.tiny]
tokenizer = "characters"
alphabet = "0123456789+-=.,?ComputeFirstThnaswy \\n<>/"
[models.tiny.config]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 2
max_position_embeddings = 128
[defaults.grpo]
num_generations = 4
per_device_train_batch_size = 16
max_completion_length = 24
save_steps = 3
threads = 1
learning_rate = 1e-3
log_completions = true
[[stage]]
name = "worked"
kind = "problems"
options = { count = 400, level = "1", solutions = "worked" }
[[stage]]
name = "held-out"
kind = "problems"
options = { count = 20, level = "1", split = "heldout" }
[[stage]]
name = "base"
kind = "sft"
model = "tiny"
data = ["worked"]
options = { max_steps = 40, save_steps = 5, per_device_train_batch_size = 16, max_length = 128, threads = 1 }
[[stage]]
name = "zero"
kind = "grpo"
model = "base"
data = ["worked"]
rubric = { term = [ { verifier = "math" }, { verifier = "format", weight = 0.5 } ] }
options = { max_steps = 12 }
[[stage]]
name = "samples"
kind = "generate"
model = "zero"
data = ["worked"]
options = { samples = 2, limit = 60, max_new_tokens = 24 }
[[stage]]
name = "scores"
kind = "score"
data = ["samples", "worked"]
[[stage]]
name = "chosen"
kind = "select"
data = ["scores"]
options = { strategy = "all-correct" }
[[stage]]
name = "rows"
kind = "export"
data = ["chosen"]
[[stage]]
name = "mixed"
kind = "mix"
data = ["rows", "worked"]
[[stage]]
name = "eval"
kind = "eval"
model = "zero"
data = ["held-out"]
options = { max_new_tokens = 24 }
"""
OUTPUTS = ["worked/rows.jsonl", "held-out/rows.jsonl", "base/run/model/model.safetensors", "zero/run/model/model.safetensors",
           "samples/groups.jsonl", "scores/scored.jsonl", "rows/rows.jsonl", "mixed/rows.jsonl", "eval/scored.jsonl"]


def start(build, recipe, out, log):
    # A session of its own: the kill takes the commands that it started, too.
    return subprocess.Popen([f"{build}/assay", "pipeline", str(recipe), "--out", str(out)], stdout=log, stderr=log, start_new_session=True)


def hashes(out):
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in OUTPUTS}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        recipe = folder / "kills.toml"
        recipe.write_text(RECIPE)
        with open(folder / "log.txt", "w", encoding="utf-8") as log:
            begun = time.monotonic()
            if start(build, recipe, folder / "whole", log).wait() != 0:
                sys.exit((folder / "log.txt").read_text())
            whole_s = time.monotonic() - begun
            kills = 0
            while True:
                process = start(build, recipe, folder / "killed", log)
                wait_s = rng.uniform(0.02, max(0.5, 2 * whole_s / arguments.kills)) if kills < arguments.kills else None
                try:
                    code = process.wait(timeout=wait_s)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    kills += 1
                    continue
                if code != 0:
                    sys.exit(f"after {kills} kills the pipeline ended with {code}:\n" + (folder / "log.txt").read_text()[-2000:])
                if kills >= arguments.kills:
                    break
                # Done before the kills were spent: from the start, in the same folder.
                for stage in rng.sample(["worked", "base", "zero", "samples", "scores", "chosen", "rows"], 2):
                    state = folder / "killed" / stage / "stage.json"
                    state.unlink(missing_ok=True)
                    (folder / "killed" / stage / "begun").unlink(missing_ok=True)
            different = [name for name, value in hashes(folder / "whole").items() if hashes(folder / "killed")[name] != value]
        print(f"{kills} kills, {len(OUTPUTS)} outputs, {len(different)} different {different if different else ''}")
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
