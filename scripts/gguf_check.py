#!/usr/bin/env python3
"""GGUF files that `assay gguf` writes, read back with PyPI's `gguf`: metadata, every tensor's values and place, the tokenizer; and by
ourselves: the same tokens and the same greedy reply as from the folder.

    python scripts/gguf_check.py --build build      # needs gguf, numpy, safetensors

Tiny random models of every family and type. One line a case; exit 1 if one differs."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from safetensors.numpy import save_file

FAMILIES = {
    "llama": dict(model_type="llama", head_dim=16, tie_word_embeddings=True),
    "llama_biases": dict(model_type="llama", head_dim=32, attention_bias=True, tie_word_embeddings=False),
    "llama3_rope": dict(model_type="llama", head_dim=16, tie_word_embeddings=True,
                        rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                          original_max_position_embeddings=8192)),
    "mistral": dict(model_type="mistral", head_dim=16, sliding_window=None, tie_word_embeddings=False),
    "qwen2": dict(model_type="qwen2", tie_word_embeddings=True),
    "qwen3": dict(model_type="qwen3", head_dim=32, tie_word_embeddings=False),
}
HEADS, KV_HEADS, HIDDEN, INNER, LAYERS = 4, 2, 64, 96, 2
MARKS = [chr(c) for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))] + [chr(256 + i) for i in range(68)]
TEXTS = ["It's 12345 o'clock", "naïve  café\n\n日本", "", "</s>a"]


def make_tokenizer(folder):
    vocabulary = {mark: i for i, mark in enumerate(MARKS)}
    vocabulary["at"] = len(vocabulary)
    special = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": [dict(id=len(vocabulary) + i, content=text, **special) for i, text in enumerate(["<s>", "</s>"])],
        "normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]},
        "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": vocabulary, "merges": [["a", "t"]]}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>", "chat_template": "{{ messages }}"}))
    return len(vocabulary) + 2


def make_model(folder, more, rng):
    """The weights, in a folder as transformers writes it."""
    vocab = make_tokenizer(folder) + 5  # five rows that stand for no token
    head = more.get("head_dim") or HIDDEN // HEADS
    config = dict(vocab_size=vocab, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                  num_key_value_heads=KV_HEADS, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
                  bos_token_id=vocab - 7, eos_token_id=vocab - 6, **more)
    (folder / "config.json").write_text(json.dumps(config))
    weights = {"model.embed_tokens.weight": (vocab, HIDDEN), "model.norm.weight": (HIDDEN,)}
    if not more["tie_word_embeddings"]:
        weights["lm_head.weight"] = (vocab, HIDDEN)
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        weights.update({at + "input_layernorm.weight": (HIDDEN,), at + "post_attention_layernorm.weight": (HIDDEN,),
                        at + "self_attn.q_proj.weight": (HEADS * head, HIDDEN), at + "self_attn.k_proj.weight": (KV_HEADS * head, HIDDEN),
                        at + "self_attn.v_proj.weight": (KV_HEADS * head, HIDDEN), at + "self_attn.o_proj.weight": (HIDDEN, HEADS * head),
                        at + "mlp.gate_proj.weight": (INNER, HIDDEN), at + "mlp.up_proj.weight": (INNER, HIDDEN),
                        at + "mlp.down_proj.weight": (HIDDEN, INNER)})
        if more["model_type"] == "qwen3":
            weights.update({at + "self_attn.q_norm.weight": (head,), at + "self_attn.k_norm.weight": (head,)})
        if more.get("attention_bias") or more["model_type"] == "qwen2":
            weights.update({at + f"self_attn.{p}_proj.bias": (n * head,) for p, n in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS))})
        if more.get("attention_bias"):
            weights[at + "self_attn.o_proj.bias"] = (HIDDEN,)
    arrays = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in weights.items()}
    save_file(arrays, folder / "model.safetensors")
    return config, arrays, head


def gguf_name(name):
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    inner = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
             "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    stem, kind = name.rsplit(".", 1)
    if stem in names:
        return f"{names[stem]}.{kind}"
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{inner[rest]}.{kind}"


def interleaved(array, heads):
    """As llama.cpp's converter keeps queries and keys of the llama kind."""
    return array.reshape(heads, 2, -1, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def compare(path, config, arrays, kind):
    """What differs, in words."""
    reader = gguf.GGUFReader(path)
    found = {tensor.name: tensor for tensor in reader.tensors}
    wrong = []
    for name, array in arrays.items():
        tensor = found.pop(gguf_name(name), None)
        if tensor is None:
            wrong.append(f"{name} is missing")
            continue
        if config["model_type"] in ("llama", "mistral") and ("q_proj" in name or "k_proj" in name):
            array = interleaved(array, HEADS if "q_proj" in name else KV_HEADS)
        want = gguf.GGMLQuantizationType[kind] if array.ndim == 2 else gguf.GGMLQuantizationType.F32
        if tensor.tensor_type != want:
            wrong.append(f"{name} has type {tensor.tensor_type.name}")
        theirs = gguf.quantize(array, want)
        if tensor.data.tobytes() != theirs.tobytes():
            wrong.append(f"{name} has other bytes than the reference's quantiser gives")
    found.pop("rope_freqs.weight", None)
    wrong += [f"{name} is not in the model" for name in found]
    arch = "llama" if config["model_type"] == "mistral" else config["model_type"]
    fields = {"general.architecture": arch, f"{arch}.block_count": LAYERS, f"{arch}.embedding_length": HIDDEN,
              f"{arch}.attention.head_count": HEADS, f"{arch}.attention.head_count_kv": KV_HEADS, "tokenizer.ggml.pre": "smollm",
              "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.eos_token_id": config["eos_token_id"], "tokenizer.chat_template": "{{ messages }}"}
    for key, value in fields.items():
        field = reader.get_field(key)
        if field is None or field.contents() != value:
            wrong.append(f"{key} is {field and field.contents()}, not {value}")
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    if len(tokens) != config["vocab_size"] or tokens[:len(MARKS)] != MARKS or reader.get_field("tokenizer.ggml.merges").contents() != ["a t"]:
        wrong.append("the tokens or merges differ")
    return wrong


def reply(assay, model, text):
    done = subprocess.run([assay, "generate", "--model", model, "--prompt", text or "x", "--temperature", "0", "--max-new-tokens", "8", "-q"],
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else os.urandom(8)  # an error is like nothing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    assay = str(pathlib.Path(options.build).resolve() / "assay")
    os.environ["OMP_NUM_THREADS"] = "1"
    bad = 0
    for family, more in FAMILIES.items():
        if options.only not in family:
            continue
        with tempfile.TemporaryDirectory() as base:
            folder, out = pathlib.Path(base) / "model", pathlib.Path(base) / "model.gguf"
            folder.mkdir()
            config, arrays, _ = make_model(folder, more, np.random.default_rng(7))
            for kind in ("F32", "F16", "BF16", "Q8_0"):
                done = subprocess.run([assay, "gguf", "--model", folder, "--type", kind.lower(), "-o", out, "-q"], capture_output=True,
                                      text=True, check=False)
                wrong = compare(out, config, arrays, kind) if done.returncode == 0 else [done.stderr]
                if kind == "F32" and not wrong:
                    wrong = [f"the reply to {text!r} differs" for text in TEXTS if reply(assay, out, text) != reply(assay, folder, text)]
                print(f"{family} {kind}: {'; '.join(wrong[:3]) if wrong else 'same'}", flush=True)
                bad += bool(wrong)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
