"""TRL's GRPOTrainer at the work of a recipe's `grpo` stage: the same weights, rows, prefix and suffix of prompts, sizes and rate of learning, and the
same rewards (`assay score` with the stage's rubric). It stops after --seconds and answers held-out problems. One JSON line a step, a last
one with the held-out share. Needs trl, transformers, datasets, gguf, a GPU.

    python3 bench/trl_recipe.py datasets/recipes/gsm8k-smollm2.toml zero --seconds 240 [--assay build/assay] [--limit 300]

The model is the stage's, or --model FOLDER as `save_pretrained` (or `assay sft`) leaves it. What TRL has not (`dynamic_sampling`) is left out.
"""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib

os.environ.setdefault("HF_HUB_OFFLINE", "1")

parser = argparse.ArgumentParser()
parser.add_argument("recipe", type=pathlib.Path)
parser.add_argument("stage")
parser.add_argument("--seconds", type=float, default=240)
parser.add_argument("--limit", type=int, default=300, help="held-out problems")
parser.add_argument("--assay", default="build/assay")
parser.add_argument("--model", help="a folder instead of the stage's model")
parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the stage's options")
args = parser.parse_args()

import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402


def stage_options(recipe, stage):
    options = {}
    for source in (recipe.get("defaults", {}).get("grpo", {}), stage.get("options", {})):
        for key, value in source.items():
            both = isinstance(value, dict) and isinstance(options.get(key), dict)
            options[key] = {**options[key], **value} if both else value
    options.update((key, json.loads(value)) for key, value in (pair.split("=", 1) for pair in args.set))
    return options


def rows_of(path, data):
    path = args.recipe.parent / path if (args.recipe.parent / path).exists() else pathlib.Path(path)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as lines:
        for row in map(json.loads, lines):
            text = row.get("prompt") or row["question"]
            yield {"prompt": data.get("prompt_prefix", "") + text + data.get("prompt_suffix", ""), "question": text, "answer": row["answer"]}


def load_model(path):
    if os.path.isdir(path):
        return (transformers.AutoTokenizer.from_pretrained(path),
                transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32))
    folder, name = os.path.split(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    quantized = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    # Plain weights: without what says that they came out of blocks of four bits.
    config = quantized.config
    config.__dict__.pop("quantization_config", None)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(quantized.state_dict())
    return tokenizer, model


def score(rubric, questions, answers, replies):
    """Scored lines in the order of the replies."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/in.jsonl", "w") as out:
            for question, answer, reply in zip(questions, answers, replies):
                out.write(json.dumps({"prompt": question, "answer": answer, "completion": reply}) + "\n")
        subprocess.run([args.assay, "score", folder + "/in.jsonl", "--rubric", rubric, "-o", folder + "/out.jsonl"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        scored = [json.loads(line) for line in open(folder + "/out.jsonl")]
    if len(scored) != len(replies):
        sys.exit(f"error: {len(replies)} replies, {len(scored)} scores")
    return scored


def held_out_share(model, tokenizer, rows, options, rubric):
    replies = []
    model.eval()
    for at in range(0, len(rows), 100):
        batch = tokenizer([row["prompt"] for row in rows[at:at + 100]], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16):
            drawn = model.generate(**batch.to(model.device), max_new_tokens=options["max_completion_length"], do_sample=False)
        replies += tokenizer.batch_decode(drawn[:, batch["input_ids"].shape[1]:], skip_special_tokens=True)
    scored = score(rubric, [row["question"] for row in rows], [row["answer"] for row in rows], replies)
    return sum(line["verdicts"]["accuracy"]["outcome"] == "pass" for line in scored) / len(rows)


class Clock(transformers.TrainerCallback):
    """Says what a step took, and ends the run after args.seconds."""

    def __init__(self):
        self.begun, self.seen = time.time(), {}

    def on_log(self, _, state, __, logs=None, **___):
        kept = {key: logs[key] for key in ("grad_norm", "reward", "completions/mean_length") if key in (logs or {})}
        print(json.dumps({"step": state.global_step, "seconds": time.time() - self.begun, **self.seen, **kept}), flush=True)

    def on_step_end(self, _, __, control, **___):
        control.should_training_stop = control.should_training_stop or time.time() - self.begun > args.seconds


def main():
    recipe = tomllib.loads(args.recipe.read_text())
    stage = next(stage for stage in recipe["stage"] if stage["name"] == args.stage)
    options = stage_options(recipe, stage)
    rubric = str(args.recipe.parent / stage["rubric"])
    training = [row for name in stage["data"] for row in rows_of(name, options["data"])]
    held_out = [row for name in stage["eval"] for row in rows_of(name, options["data"])][:args.limit]
    tokenizer, model = load_model(args.model or recipe["models"][stage["model"]]["path"])
    tokenizer.padding_side = "left"
    clock = Clock()

    def reward(prompts, completions, question, answer, **_):
        scored = score(rubric, question, answer, completions)
        clock.seen = {"accuracy": sum(line["verdicts"]["accuracy"]["outcome"] == "pass" for line in scored) / len(scored)}
        return [line["reward"] for line in scored]

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder + "/model")
        tokenizer.save_pretrained(folder + "/model")
        del model
        same = ("learning_rate", "lr_scheduler_type", "warmup_steps", "beta", "num_generations", "per_device_train_batch_size",
                "gradient_accumulation_steps", "gradient_checkpointing", "max_completion_length")
        config = trl.GRPOConfig(
            output_dir=folder + "/out", max_steps=10**6, logging_steps=1, report_to=[], save_strategy="no", disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(), bf16=options["model"]["dtype"] == "bfloat16", temperature=1.0,
            model_init_kwargs={"dtype": "float32"}, **{key: options[key] for key in same if key in options})
        trainer = trl.GRPOTrainer(model=folder + "/model", reward_funcs=reward, args=config, processing_class=tokenizer,
                                  train_dataset=Dataset.from_list(training))
        trainer.add_callback(clock)
        before = held_out_share(trainer.model, tokenizer, held_out, options, rubric)
        clock.begun = time.time()
        trainer.train()
        took = time.time() - clock.begun
        after = held_out_share(trainer.model, tokenizer, held_out, options, rubric)
    print(json.dumps({"bench": "trl_recipe", "recipe": recipe["name"], "stage": args.stage, "trl": trl.__version__,
                      "transformers": transformers.__version__, "steps": trainer.state.global_step, "seconds": took, "held_out": len(held_out),
                      "before": before, "after": after}))


main()
