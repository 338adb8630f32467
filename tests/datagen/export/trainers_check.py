"""Exports go into the trainers that they are made for: one step each of TRL's SFTTrainer, GRPOTrainer and DPOTrainer on a tiny random model, on
the CPU, from files that datasets.load_dataset reads; and verl's own data set classes read its Parquet. Run by ctest, which makes the
environment.

    trainers_check.py BUILD_DIR VENV_DIR TORCH_SITE

TORCH_SITE is the folder with LibTorch's wheel (.venv/lib/python3.x/site-packages), which is used as it is. Exit 77 where TRL cannot be
installed; where verl cannot, it says so and goes on.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))
import virtual_env

# TRL, what it imports, and what the wheel of torch (installed without dependencies) imports.
TRL = ["trl==1.16.0", "transformers==5.24.0", "accelerate==1.15.0", "datasets==5.2.0"]
# verl names far more than its data sets import.
VERL = ["omegaconf==2.3.1", "hydra-core==1.3.8", "tensordict==0.15.3", "codetiming", "pandas", "pyarrow", "ray==2.60.0", "pillow"]

STEP = '''
import json, sys
import datasets, torch
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
folder, files = sys.argv[1], json.loads(sys.argv[2])
letters = [chr(i) for i in range(32, 127)] + ["\\n"]
vocabulary = {c: i for i, c in enumerate(["<pad>", "<eos>", "<unk>"] + letters)}
tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
tokenizer.padding_side = "left"
tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"

def model():
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                                        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512, pad_token_id=0,
                                        eos_token_id=1, bos_token_id=1))

def load(name):
    kind = "parquet" if files[name].endswith("parquet") else "json"
    return datasets.load_dataset(kind, data_files=files[name], split="train", cache_dir=folder + "/cache")

from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
common = dict(max_steps=1, report_to=[], use_cpu=True, bf16=False, save_strategy="no", disable_tqdm=True, logging_steps=1)

def step(name, trainer):
    before = torch.cat([p.detach().flatten() for p in trainer.model.parameters()]).clone()
    trainer.train()
    after = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
    log = {k: v for entry in trainer.state.log_history for k, v in entry.items()}
    print(json.dumps({"step": name, "steps": trainer.state.global_step, "moved": bool((before != after).any()),
                      "loss": log.get("train_loss"), "reward": log.get("reward")}), flush=True)

for name in [n for n in files if n.startswith("sft")]:
    step(name, SFTTrainer(model=model(), args=SFTConfig(output_dir=folder + "/o", max_length=256, per_device_train_batch_size=4, **common),
                          train_dataset=load(name), processing_class=tokenizer))
for name in [n for n in files if n.startswith("dpo")]:
    step(name, DPOTrainer(model=model(), ref_model=model(), args=DPOConfig(output_dir=folder + "/o", max_length=256, per_device_train_batch_size=4, **common),
                          train_dataset=load(name), processing_class=tokenizer))

def longer(completions, answer, **_):
    assert all(isinstance(a, str) for a in answer)
    return [float(len(str(c))) + i for i, c in enumerate(completions)]

for name in [n for n in files if n.startswith("grpo")]:
    step(name, GRPOTrainer(model=model(), reward_funcs=longer, train_dataset=load(name), processing_class=tokenizer,
                           args=GRPOConfig(output_dir=folder + "/o", num_generations=4, per_device_train_batch_size=4,
                                           max_completion_length=8, learning_rate=1e-3, **common)))
tokenizer.save_pretrained(folder + "/tokenizer")
'''

VERL_READ = '''
import json, sys
import transformers
from omegaconf import OmegaConf
folder, files = sys.argv[1], json.loads(sys.argv[2])
tokenizer = transformers.AutoTokenizer.from_pretrained(folder + "/tokenizer")
from verl.utils.dataset.rl_dataset import RLHFDataset
rl = RLHFDataset(files["verl-rl"], tokenizer, OmegaConf.create({"max_prompt_length": 256, "cache_dir": folder, "filter_overlong_prompts": False}))
row = rl[0]
print(json.dumps({"verl": "rl", "rows": len(rl), "keys": sorted(row), "gold": row["reward_model"]["ground_truth"]}))
try:
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
except ImportError as error:  # it wants a class that this version of transformers does not have
    print(json.dumps({"verl": "sft", "missing": str(error)}))
    sys.exit()
sft = MultiTurnSFTDataset(files["verl-sft"], tokenizer, OmegaConf.create({"max_length": 256, "truncation": "error", "pad_mode": "right"}))
print(json.dumps({"verl": "sft", "rows": len(sft), "tokens": int(sft[0]["loss_mask"].sum())}))
'''


def rows(chat):
    for i in range(8):
        prompt = f"What is {i} + 1?"
        yield {"id": f"p{i}", "task": "math", "answer": str(i + 1), "level": i,
               "prompt": [{"role": "user", "content": prompt}] if chat else prompt,
               "completions": [f"<think>\nhm\n</think>\n\\boxed{{{i + 1}}}", f"\\boxed{{{i}}}"], "labels": [True, False]}


def export_all(build, folder):
    """Files of both kinds of prompts by what is to read them."""
    def assay(*words):
        subprocess.run([build / "assay", *map(str, words), "-q"], check=True)

    files, verl = {}, {}
    for name in ("plain", "chat"):
        source, store = folder / f"{name}.jsonl", folder / f"{name}.sqlite"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows(name == "chat")))
        assay("import", source, "--store", store, "--labels", "labels")
        assay("select", "--store", store, "--strategy", "all", "--dataset", "all")
        assay("select", "--store", store, "--strategy", "preference", "--dataset", "pairs")
        for key, form, dataset, ending in (("sft", "trl-sft", "all", "parquet"), ("sft-text", "trl-text", "all", "jsonl"),
                                           ("sft-messages", "trl-conversational", "all", "jsonl"),
                                           ("dpo", "trl-preference", "pairs", "parquet"), ("grpo", "trl-prompt-only", "all", "jsonl"),
                                           ("verl-rl", "verl-rl", "all", "parquet"), ("verl-sft", "verl-sft", "all", "parquet")):
            if (key, name) in (("sft-text", "chat"), ("sft-messages", "plain")):
                continue
            path = folder / f"{name}-{key}.{ending}"
            assay("export", "--store", store, "--dataset", dataset, "--format", form, "-o", path)
            (verl if key.startswith("verl") else files)[key if key.startswith("verl") else f"{key}-{name}"] = str(path)
    return files, verl


def run(python, program, folder, files):
    environment = dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    done = subprocess.run([python, "-c", program, folder, json.dumps(files)], capture_output=True, text=True, check=False, env=environment)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(('{"step"', '{"verl"'))]
    if done.returncode != 0:
        sys.exit(f"{said}\n{done.stderr[-3000:]}")
    return said


def main():
    build, venv, site = map(pathlib.Path, sys.argv[1:4])
    python = virtual_env.beside_torch(venv, TRL, site)
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM TRL cannot be installed")
        sys.exit(77)
    os.environ["ASSAY_PYARROW"] = str(python)
    with tempfile.TemporaryDirectory() as scratch:
        files, verl = export_all(build, pathlib.Path(scratch))
        steps = run(python, STEP, scratch, files)
        wrong = [s for s in steps if s["steps"] != 1 or not s["moved"]]
        if len(steps) != len(files) or wrong:
            sys.exit(f"{len(steps)} of {len(files)} trainers, without a step: {wrong}")
        print(f"{len(steps)} trainers took a step: {', '.join(s['step'] for s in steps)}")
        if subprocess.run([python, "-c", "import verl"], capture_output=True, check=False).returncode != 0:
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
            there = all(subprocess.run([*pip, *words], check=False).returncode == 0 for words in (VERL, ["--no-deps", "verl==0.9.1"]))
            if not there:
                print("verl cannot be installed: its files were not opened")
                return
        said = run(python, VERL_READ, scratch, verl)
        sft = said[1]
        if said[0]["rows"] != 8 or said[0]["gold"] != "1" or not (sft.get("missing") or sft["rows"] == 16 and sft["tokens"] > 0):
            sys.exit(f"verl reads something else: {said}")
        print(f"verl's RL data set reads {said[0]['rows']} rows, its SFT data set {sft.get('rows') or 'does not import: ' + sft['missing']}")


if __name__ == "__main__":
    main()
