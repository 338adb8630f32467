#!/usr/bin/env python3
"""Random damage to every file that Assay reads back: a store, a scored file (with its resume journal), a checkpoint, a tokenizer.json, a
GGUF file. Whatever is done to their bytes, no program may crash or hang, and one that gives up says which file is to blame.

    corrupt.py --build build [--seed 1] [--store 500] [--scored 200] [--checkpoint 200] [--tokenizer 200] [--gguf 200] [--only KIND]

A number is how many damaged files of a kind are tried. Prints one JSON line a kind: how many runs passed (the damage did no harm), gave an
error, or broke the rule; the first of these with what they said. Exit 1 if any did. The same seed damages the same bytes."""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

TIMEOUT_S = 120
TOY = {"model": {"tokenizer": "characters", "alphabet": "0123456789+=",
                 "config": {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                            "num_key_value_heads": 2, "max_position_embeddings": 32}}}


def damage(data, rng):
    """One of the things that happen to files, at a random place."""
    data = bytearray(data)
    place = rng.randrange(len(data))
    kind = rng.choice(["byte", "bytes", "bits", "cut", "zeros", "lost", "twice", "swap", "text"])
    if kind == "byte":
        data[place] = rng.randrange(256)
    elif kind == "bytes":
        for _ in range(rng.randrange(2, 200)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == "bits":
        data[place] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[place:]
    elif kind == "zeros":
        end = min(len(data), place + rng.randrange(1, 5000))
        data[place:end] = bytes(end - place)
    elif kind == "lost":
        del data[place:place + rng.randrange(1, 3000)]
    elif kind == "twice":
        data[place:place] = data[place:place + rng.randrange(1, 3000)]
    elif kind == "swap":
        length = rng.randrange(1, 2000)
        other = rng.randrange(len(data))
        data[place:place + length] = data[other:other + length]
    else:
        data[place:place + 4] = rng.choice([b"-1", b"99999999999999999999", b"[[[[", b'"', b"{}", b"null", b"\xff\xfe", b"1e999"])
    return bytes(data)


def judge(command, names):
    """("ok" | "error" | what is wrong, the text)"""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "hang", ""
    text = done.stderr.decode(errors="replace")
    if done.returncode < 0 or done.returncode > 3:
        return f"exit code {done.returncode}", text
    if "Sanitizer" in text or "check failed" in text.lower():
        return "a bug that was noticed", text
    if done.returncode in (0, 3):
        return "ok", text
    if done.returncode == 2 and not any(name in text for name in names):
        return "an error that does not name the file", text
    return "error", text


class Tally:
    def __init__(self, kind):
        self.kind, self.ok, self.errors, self.broken = kind, 0, 0, []

    def add(self, number, command, names):
        verdict, text = judge(command, names)
        if verdict == "ok":
            self.ok += 1
        elif verdict == "error":
            self.errors += 1
        else:
            self.broken.append({"number": number, "what": verdict, "command": " ".join(map(str, command))[-200:], "said": text[-300:]})

    def say(self):
        print(json.dumps({"kind": self.kind, "runs": self.ok + self.errors + len(self.broken), "unharmed": self.ok, "errors": self.errors,
                          "broken": len(self.broken), "first": self.broken[:3]}), flush=True)
        return not self.broken


def must(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def make_rows(path, rng, count=60):
    with open(path, "w", encoding="utf-8") as file:
        for i in range(count):
            replies = [f"<think>\n{'so ' * rng.randrange(30)}\n</think>\n\\boxed{{{i + rng.randint(0, 1)}}} é" for _ in range(3)]
            file.write(json.dumps({"id": f"p{i}", "task": "math", "prompt": f"What is {i}?", "answer": str(i), "n": {"a": [i]},
                                   "completions": replies, "finish_reasons": ["stop", "length", "stop"]}) + "\n")


def store(assay, folder, rng, count):
    rows, whole, hurt = folder / "rows.jsonl", folder / "whole.sqlite", folder / "hurt.sqlite"
    make_rows(rows, rng)
    must(assay, "score", rows, "--verifier", "math,format", "--store", whole, "--run", "r", "-o", folder / "o.jsonl", "-q")
    must(assay, "select", "--store", whole, "--run", "r", "--strategy", "all-correct", "--dataset", "d", "-q")
    data, tally = whole.read_bytes(), Tally("store")
    commands = [
        ["stats", "--store", hurt],
        ["store", "check", "--store", hurt],
        ["export", "--store", hurt, "--dataset", "d", "--format", "trl-sft", "--no-card", "-o", folder / "d.jsonl"],
        ["export", "--store", hurt, "--dataset", "d", "--format", "jsonl", "--group", "--no-card", "-o", folder / "g.jsonl"],
        ["report", "--store", hurt, "-o", folder / "page.html"],
        ["score", "--from-store", hurt, "--run", "r", "--verifier", "format", "-o", folder / "again.jsonl"],
        ["score", rows, "--verifier", "math,format", "--store", hurt, "--run", "r", "--resume", "-o", folder / "o2.jsonl"],
        ["select", "--store", hurt, "--run", "r", "--strategy", "best-of-n", "--near-duplicates", "--dataset", "e", "--replace"],
        ["store", "gc", "--store", hurt],
    ]
    for number in range(count):
        broken = damage(data, rng)
        for command in ([commands[number % len(commands)], commands[rng.randrange(len(commands))]]):
            hurt.write_bytes(broken)
            for beside in ("-wal", "-shm", "-journal"):
                pathlib.Path(f"{hurt}{beside}").unlink(missing_ok=True)
            (folder / "o2.jsonl").unlink(missing_ok=True)
            (folder / "o2.jsonl.resume").unlink(missing_ok=True)
            tally.add(number, [assay, *command, "-q"], ["hurt.sqlite"])
    return tally


def scored(assay, folder, rng, count):
    rows, whole, hurt = folder / "rows.jsonl", folder / "whole.jsonl", folder / "hurt.jsonl"
    make_rows(rows, rng)
    must(assay, "score", rows, "--verifier", "math,format", "--keep-input", "--no-times", "-o", whole, "--resume", "-q")
    data, journal, tally = whole.read_bytes(), pathlib.Path(f"{whole}.resume").read_bytes(), Tally("scored")
    resume = ["score", rows, "--verifier", "math,format", "--keep-input", "--no-times", "-o", hurt, "--resume"]
    for number in range(count):
        hurt.write_bytes(damage(data, rng))
        pathlib.Path(f"{hurt}.resume").unlink(missing_ok=True)
        command = [["score", hurt, "--verifier", "math", "-o", folder / "again.jsonl"],
                   ["score", hurt, "--group-by", "id", "--verifier", "format", "-o", folder / "again.jsonl"],
                   ["import", hurt, "--store", folder / f"{number}.sqlite"],
                   ["explain", hurt, "--verifier", "math,format"]][number % 4]
        tally.add(number, [assay, *command, "-q"], ["hurt.jsonl"])
        # The output, or the journal beside it.
        hurt.write_bytes(damage(data, rng) if number % 2 else data)
        pathlib.Path(f"{hurt}.resume").write_bytes(journal if number % 2 else damage(journal, rng))
        tally.add(number, [assay, *resume, "-q"], ["hurt.jsonl"])
    return tally


def toml(values, table=""):
    """Of nothing but strings, numbers and tables."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for key, value in values.items():
        if isinstance(value, dict):
            name = f"{table}.{key}" if table else key
            lines += [f"[{name}]", toml(value, name)]
    return "\n".join(lines)


def train(assay, folder):
    """A toy model of a few steps: (recipe, folder of the run)"""
    data, recipe, out = folder / "sft.jsonl", folder / "sft.toml", folder / "run"
    data.write_text("".join(json.dumps({"prompt": f"{a}+{b}=", "completion": str(a + b)}) + "\n" for a in range(8) for b in range(8)))
    recipe.write_text(toml({"max_steps": 3, "save_steps": 1, "seed": 1, "learning_rate": 1e-3, **TOY, "data": {"train": str(data)}}))
    must(assay, "sft", recipe, "--out", out, "-q")
    return recipe, out


def checkpoint(assay, folder, rng, count):
    recipe, out = train(assay, folder)
    tally, hurt = Tally("checkpoint"), folder / "hurt"
    newest = max(out.glob("checkpoint-*")).name
    files = ["model.safetensors", "optimizer.safetensors", "state.json", "config.json", "tokenizer.json"]
    for number in range(count):
        shutil.rmtree(hurt, ignore_errors=True)
        shutil.copytree(out, hurt)
        name = files[number % len(files)]
        for place in [hurt / newest] if number % 2 else hurt.glob("checkpoint-*"):  # the newest alone, or all of them
            (place / name).write_bytes(damage((place / name).read_bytes(), rng))
        if number % 3:
            command = ["sft", recipe, "--out", hurt, "--resume", "--set", "max_steps=4"]
        else:
            command = ["generate", "--model", hurt / newest, "--prompt", "1+2=", "--max-new-tokens", "2"]
        tally.add(number, [assay, *command, "-q"], ["hurt"])
    return tally


def tokenizer(assay, folder, rng, count):
    """A toy's files and byte-level BPE's, in turn."""
    _, out = train(assay, folder)
    tally, hurt = Tally("tokenizer"), [folder / "hurt-toy", folder / "hurt-bpe"]
    whole = [out / "model", byte_level_model(assay, folder)]
    for model, copy in zip(whole, hurt):
        shutil.copytree(model, copy)
    for number in range(count):
        model, copy = whole[number // 4 % 2], hurt[number // 4 % 2]
        for name in ("tokenizer.json", "tokenizer_config.json"):
            data = (model / name).read_bytes()
            (copy / name).write_bytes(damage(data, rng) if (name == "tokenizer.json") == (number % 4 != 0) else data)
        tally.add(number, [assay, "generate", "--model", copy, "--prompt", "1+2=", "--max-new-tokens", "2", "-q"], [copy.name])
    return tally


def byte_level(folder):
    """A model folder with a tokenizer that GGUF has a name for, its weights grown to fit."""
    marks = [chr(c) for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))] + [chr(256 + i) for i in range(68)]
    vocabulary = {mark: i for i, mark in enumerate(marks)}
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": [{"id": len(vocabulary), "content": "</s>", "special": True, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False}],
        "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))


def byte_level_model(assay, folder):
    """A model of one step with that tokenizer."""
    recipe = folder / "bpe.toml"
    (folder / "tok").mkdir()
    byte_level(folder / "tok")
    (folder / "pair.jsonl").write_text(json.dumps({"prompt": "a", "completion": "b"}) + "\n")
    recipe.write_text(toml({"max_steps": 1, "seed": 1, "model": {**TOY["model"], "tokenizer": str(folder / "tok")},
                            "data": {"train": str(folder / "pair.jsonl")}}))
    must(assay, "sft", recipe, "--out", folder / "bpe", "-q")
    return folder / "bpe" / "model"


def gguf(assay, folder, rng, count):
    model = byte_level_model(assay, folder)
    whole, hurt, tally = folder / "whole.gguf", folder / "hurt.gguf", Tally("gguf")
    must(assay, "gguf", "--model", model, "--type", "q8_0", "-o", whole, "-q")
    data = whole.read_bytes()
    for number in range(count):
        # Half of it in the header, which is the smaller part.
        head = len(data) if number % 2 else min(len(data), 12_000)
        hurt.write_bytes(damage(data[:head], rng) + data[head:])
        tally.add(number, [assay, "generate", "--model", hurt, "--prompt", "1+2=", "--max-new-tokens", "2", "-q"], ["hurt.gguf"])
    return tally


def main():
    kinds = {"store": (store, 500), "scored": (scored, 200), "checkpoint": (checkpoint, 200), "tokenizer": (tokenizer, 200),
             "gguf": (gguf, 200)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=kinds)
    for name, (_, count) in kinds.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    options = parser.parse_args()
    assay = pathlib.Path(options.build).resolve() / "assay"
    os.environ["OMP_NUM_THREADS"] = "1"
    good = True
    for name, (run, _) in kinds.items():
        count = getattr(options, name)
        if options.only not in (None, name) or count == 0:
            continue
        if name in ("checkpoint", "tokenizer", "gguf") and not (assay.parent / "assay-train").exists():
            print(f"{name}: skipped, there is no assay-train")
            continue
        with tempfile.TemporaryDirectory(prefix="assay-corrupt-") as folder:
            good = run(assay, pathlib.Path(folder), random.Random(f"{options.seed} {name}"), count).say() and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
