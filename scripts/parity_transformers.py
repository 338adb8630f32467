#!/usr/bin/env python3
"""Compares build/model_parity with transformers on random tiny models, element by element, and back: what we save is
loaded by transformers. Needs torch, transformers, safetensors and gguf (a virtual environment).

  python scripts/parity_transformers.py --binary build/model_parity [--only NAME] [--gguf MODEL.gguf]

Families: every row of the table in grpo/config/model_config.cc, with grouped queries, tied and untied heads, biases, q/k norms, every
RoPE scaling and windows that are shorter than the text: logits, gradients, greedy continuations; safetensors in one file and in shards, float32 and bfloat16; GGUF in every type that we read; tokenizer.json with the
families' pre-splits. Prints one line a case; exits 1 if one differs."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import (AutoModelForCausalLM, Gemma3TextConfig, GraniteConfig, LlamaConfig, MistralConfig, Olmo2Config, Phi3Config,
                          Qwen2Config, Qwen3Config, Qwen3MoeConfig, SmolLM3Config)

TOLERANCE = 2e-4
BASE = dict(vocab_size=99, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
            num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3, bos_token_id=1, eos_token_id=2,
            pad_token_id=0)


def rope(kind, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **more))


def longrope(original):
    """Phi-4-mini's: three quarters of a head rotated, divisors for short and long texts."""
    return dict(original_max_position_embeddings=original, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75,
        short_factor=[1.0, 1.05, 1.1, 1.2, 1.3, 1.5], long_factor=[1.0, 1.5, 2.0, 4.0, 8.0, 16.0]))


FAMILIES = {
    "llama_gqa_tied": (LlamaConfig, dict(tie_word_embeddings=True)),
    "llama_mha_untied": (LlamaConfig, dict(num_key_value_heads=6, tie_word_embeddings=False)),
    "llama_biases": (LlamaConfig, dict(attention_bias=True, mlp_bias=True)),
    "llama_wide_heads": (LlamaConfig, dict(head_dim=16)),
    "llama_linear": (LlamaConfig, rope("linear", factor=2.5)),
    "llama_dynamic": (LlamaConfig, dict(max_position_embeddings=16, **rope("dynamic", factor=2.0))),
    "llama_llama3": (LlamaConfig, rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                       original_max_position_embeddings=32)),
    "llama_yarn": (LlamaConfig, rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    "mistral": (MistralConfig, dict(sliding_window=None)),
    "qwen2_tied": (Qwen2Config, dict(tie_word_embeddings=True)),
    "qwen2_untied_yarn": (Qwen2Config, dict(tie_word_embeddings=False,
                                            **rope("yarn", factor=4.0, original_max_position_embeddings=16))),
    "qwen3_tied": (Qwen3Config, dict(head_dim=16, tie_word_embeddings=True)),
    "mistral_window": (MistralConfig, dict(sliding_window=8)),
    "qwen2_window": (Qwen2Config, dict(use_sliding_window=True, sliding_window=8, max_window_layers=1)),
    "qwen3_window": (Qwen3Config, dict(head_dim=8, use_sliding_window=True, sliding_window=5,
                                       layer_types=["sliding_attention", "full_attention", "sliding_attention"])),
    "gemma3": (Gemma3TextConfig, dict(head_dim=16, sliding_window=8, sliding_window_pattern=2, query_pre_attn_scalar=24,
                                      num_hidden_layers=4)),
    "gemma3_scaled": (Gemma3TextConfig, dict(head_dim=16, sliding_window=64, rope_parameters=dict(
        full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000.0),
        sliding_attention=dict(rope_type="default", rope_theta=100.0)), layer_types=["full_attention"] + 2 * ["sliding_attention"])),
    "phi3": (Phi3Config, dict(sliding_window=None)),
    "phi3_window": (Phi3Config, dict(sliding_window=8, tie_word_embeddings=True)),
    "phi4_short": (Phi3Config, dict(num_attention_heads=3, num_key_value_heads=1, **longrope(56))),
    "phi4_long": (Phi3Config, dict(num_attention_heads=3, num_key_value_heads=1, **longrope(8))),
    "olmo2": (Olmo2Config, dict()),
    "olmo2_tied_bias": (Olmo2Config, dict(tie_word_embeddings=True, attention_bias=True)),
    "smollm3": (SmolLM3Config, dict(no_rope_layer_interval=2)),
    "smollm3_window": (SmolLM3Config, dict(no_rope_layers=[1, 0, 0], use_sliding_window=True, sliding_window=8, mlp_bias=True)),
    "granite": (GraniteConfig, dict(embedding_multiplier=3.0, residual_multiplier=0.7, attention_multiplier=0.2,
                                    logits_scaling=4.0)),
    "granite_tied_bias": (GraniteConfig, dict(embedding_multiplier=2.0, attention_bias=True, mlp_bias=True,
                                              tie_word_embeddings=True)),
    "qwen3_moe": (Qwen3MoeConfig, dict(head_dim=16, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=24,
                                       norm_topk_prob=True)),
    "qwen3_moe_mixed": (Qwen3MoeConfig, dict(head_dim=16, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                                             num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[3])),
    "qwen3_moe_window": (Qwen3MoeConfig, dict(head_dim=16, num_experts=4, num_experts_per_tok=1, moe_intermediate_size=24,
                                              use_sliding_window=True, sliding_window=8)),
    "qwen3_untied_bias": (Qwen3Config, dict(head_dim=8, attention_bias=True, tie_word_embeddings=False)),
}


def make_model(cls, more):
    torch.manual_seed(len(str(more)))
    model = AutoModelForCausalLM.from_config(cls(**{**BASE, **more}), attn_implementation="eager").float().eval()
    with torch.no_grad():  # norms and biases that a mix-up would show in
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.copy_(1 + 0.3 * torch.randn_like(weight))
            if name.endswith("bias"):
                weight.copy_(0.3 * torch.randn_like(weight))
    return model


def gradients(model, ids):
    """Of the sum of the log-probs, by the names that files have."""
    model.zero_grad()
    logp = torch.log_softmax(model(ids).logits[0].float(), -1)
    logp[torch.arange(ids.shape[1] - 1), ids[0, 1:]].sum().backward()
    found = {}
    for name, weight in model.named_parameters():
        grad = weight.grad.double() if weight.grad is not None else torch.zeros_like(weight).double()
        if ".experts." not in name:
            found[name] = grad
            continue
        stem = name[:name.index(".experts.") + len(".experts.")]  # all experts in one, gates above ups
        for expert in range(grad.shape[0]):
            if name.endswith("gate_up_proj"):
                found[f"{stem}{expert}.gate_proj.weight"], found[f"{stem}{expert}.up_proj.weight"] = grad[expert].chunk(2)
            else:
                found[f"{stem}{expert}.down_proj.weight"] = grad[expert]
    return {name: dict(l2=grad.norm().item(), sum=grad.sum().item(), first8=grad.flatten()[:8].tolist())
            for name, grad in found.items()}


def greedy(model, ids, count=32):
    """Without a cache, the whole text anew for each token."""
    added = []
    for _ in range(count):
        with torch.no_grad():
            added.append(model(ids).logits[0, -1].argmax().item())
        ids = torch.cat([ids, torch.tensor([added[-1:]])], 1)
        if added[-1] == BASE["eos_token_id"]:
            break
    return added


def reference(model, lengths=(3, 17, 40), learns=False):
    """What model_parity compares: logits of every position, the log-probs of a continuation; with `learns` also the gradients and a
    greedy continuation of the second text."""
    prompts = []
    for length in lengths:
        if length > 16 and model.config.max_position_embeddings <= 16 and "dynamic" not in str(model.config.to_dict()):
            continue
        generator = torch.Generator().manual_seed(length)
        ids = torch.randint(3, BASE["vocab_size"], (1, length), generator=generator)
        with torch.no_grad():
            logits = model(ids).logits[0].double()
        logp = torch.log_softmax(logits, -1)
        scored = [logp[t, ids[0, t + 1]].item() for t in range(length - 1)]
        prompts.append(dict(name=f"len{length}", ids=ids[0].tolist(), logits=logits.tolist(), prompt_token_logps=scored,
                            logits_first8_last_pos=logits[-1, :8].tolist()))
        if learns and length == 17:
            prompts[-1]["gradients"] = gradients(model, ids)
            if "dynamic" not in str(model.config.to_dict()):
                prompts[-1]["greedy32_ids"] = greedy(model, ids)
    return dict(prompts=prompts)


def compare(binary, path, golden, save=None):
    """Runs model_parity; returns (good, worst error)."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(golden, file)
        file.flush()
        command = [binary] + (["--save", save] if save else []) + [path, file.name]
        done = subprocess.run(command, capture_output=True, text=True)
    worst = 0.0
    for line in done.stdout.splitlines():
        worst = max(worst, json.loads(line)["max_error"] or 0.0)
    if done.returncode != 0:
        print(done.stdout, done.stderr, file=sys.stderr)
    return done.returncode == 0 and worst <= TOLERANCE and bool(done.stdout), worst


def saved_again(folder, golden):
    """Largest difference of logits when transformers loads what we saved."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    worst = 0.0
    for prompt in golden["prompts"]:
        with torch.no_grad():
            logits = model(torch.tensor([prompt["ids"]])).logits[0].double()
        worst = max(worst, (logits - torch.tensor(prompt["logits"], dtype=torch.float64)).abs().max().item())
    return worst


# ---- GGUF, written by the reference library ----

NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
         "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if name == "lm_head.weight":
        return "output.weight"
    layer, rest = name[len("model.layers."):].split(".", 1)
    stem, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{NAMES[stem]}.{kind}"


def interleave(weight, heads):
    """Rows of each head from halves to pairs, as converters store Llama's queries and keys."""
    half = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return half.swapaxes(1, 2).reshape(weight.shape)


def add_pieces(writer, pieces):
    """A SentencePiece vocabulary as converters write it: texts, scores, kinds."""
    count = pieces.get_piece_size()
    kinds = [2 if pieces.is_unknown(i) else 3 if pieces.is_control(i) else 6 if pieces.is_byte(i) else 1 for i in range(count)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([pieces.id_to_piece(i) for i in range(count)])
    writer.add_token_scores([pieces.get_score(i) for i in range(count)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(pieces.bos_id())
    writer.add_eos_token_id(pieces.eos_id())


def quantized(array, quant, seed):
    """The reference's quantiser; where it has none (K-quants) random blocks of weights of a usual size."""
    import gguf
    from gguf.quants import quantize
    from gguf_cases import random_block
    try:
        return quantize(array, quant)
    except NotImplementedError:
        elements, size = gguf.GGML_QUANT_SIZES[quant]
        rng = np.random.default_rng(seed)
        blocks = [random_block(quant.name, size, rng, scale=1e-4) for _ in range(array.size // elements)]
        return np.concatenate(blocks).reshape(*array.shape[:-1], -1)


def write_gguf(model, arch, kind, path, pieces=None):
    """Writes the model; its own weights become what the file decodes to."""
    import gguf
    from gguf.quants import dequantize
    config = model.config
    writer = gguf.GGUFWriter(path, arch)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    if pieces is None:
        words = ["!", "#", "!#"] + [f"[{i}]" for i in range(3, config.vocab_size)]
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(words)
        writer.add_token_types([1] * len(words))
        writer.add_token_merges(["! #"])
    else:
        add_pieces(writer, pieces)
    types = gguf.GGMLQuantizationType
    with torch.no_grad():
        for name, weight in model.named_parameters():
            array = weight.numpy().astype(np.float32)
            quant = types[kind] if array.ndim == 2 else types.F32
            if arch == "llama" and "q_proj" in name:
                array = interleave(array, config.num_attention_heads)
            if arch == "llama" and "k_proj" in name:
                array = interleave(array, config.num_key_value_heads)
            data = quantized(array, quant, len(name))
            back = dequantize(data, quant).reshape(array.shape)
            if arch == "llama" and ("q_proj" in name or "k_proj" in name):
                heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
                back = back.reshape(heads, -1, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)
            weight.copy_(torch.from_numpy(np.ascontiguousarray(back)))
            writer.add_tensor(gguf_name(name), data, raw_dtype=quant)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- tokenizers ----

TEXTS = ["", " ", "  two", "It's 12345 o'clock, I'LL go\n\n now", "naïve café\u0301 \u00bd \u0664\u0662", "日本語 テキスト", "a\r\n\tb  \n c ",
         "x=1;y+=2 // done", "👩‍👩‍👧 🇫🇷", "<s>hi</s> <|end|>", "ZzZz    ", "\u200b\u00a0\u3000x", "don't DON'T", "1234567890" * 3]


def random_texts(count=60):
    """Words, blanks and characters from everywhere, in any order."""
    import random
    chance = random.Random(5)
    parts = [" ", "  ", "\n", "\t", "the", "sum", "12", ".", "é", "日", "▁", "👍", "\u0301", "\x00", "\ufeff", "Ω", "def", "((", "'s"]
    return ["".join(chance.choice(parts) if chance.random() < 0.8 else chr(chance.choice([chance.randrange(32, 0x2000),
            chance.randrange(0xE000, 0x1F900)])) for _ in range(chance.randrange(1, 30))) for _ in range(count)]


RANDOM_TEXTS = random_texts()


def tokenizers():
    """Trained on a few lines with each family's pre-split, saved as tokenizer.json."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    llama3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
              r"|\s+(?!\S)|\s+")
    phi4 = "|".join([r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                     r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                     r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    splits = {
        "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                           pre_tokenizers.ByteLevel(add_prefix_space=False)]),
        "llama3": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(llama3), "isolated"), level]),
        "qwen2": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(llama3.replace("{1,3}", "")), "isolated"), level]),
        "phi4": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(phi4), "isolated"), level]),
    }
    for name, split in splits.items():
        tok = Tokenizer(models.BPE())
        tok.pre_tokenizer = split
        tok.decoder = decoders.ByteLevel()
        if name == "qwen2":
            tok.normalizer = normalizers.NFC()
        trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "</s>", "<|end|>"],
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tok.train_from_iterator([__doc__, open(__file__, encoding="utf-8").read()] + TEXTS, trainer)
        yield name, tok
    fallbacks = {  # Llama 2 writes the blank in its normaliser, Mistral in its pre-tokeniser
        "llama2_fallback": (normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None),
        "mistral_metaspace": (None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
        "gemma": (normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")),
        "metaspace_split": (None, pre_tokenizers.Metaspace(prepend_scheme="always", split=True)),
    }
    for name, (normalizer, split) in fallbacks.items():
        tok = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        if normalizer is not None:
            tok.normalizer = normalizer
        if split is not None:
            tok.pre_tokenizer = split
        parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        tok.decoder = decoders.Sequence(parts if name == "gemma" else parts + [decoders.Strip(" ", 1, 0)])
        specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
        tok.train_from_iterator([__doc__] + TEXTS[:4], trainers.BpeTrainer(vocab_size=700, special_tokens=specials,
                                                                           max_token_length=12))
        data = json.loads(tok.to_str())  # the byte tokens are ordinary ones
        data["added_tokens"] = data["added_tokens"][:3]
        yield name, Tokenizer.from_str(json.dumps(data))


def sentencepiece_case(binary, base):
    """SentencePiece's own encodings against a GGUF with its vocabulary, and against the tokenizer.json that we save of it."""
    import sentencepiece
    from tokenizers import Tokenizer
    with open(__file__, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() + TEXTS if line.strip()]
    prefix = os.path.join(base, "pieces")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=prefix, vocab_size=700, model_type="bpe", byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.99,
        hard_vocab_limit=False, minloglevel=2)
    pieces = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    path, again = os.path.join(base, "pieces.gguf"), os.path.join(base, "pieces_again")
    config = dict(vocab_size=pieces.get_piece_size(), hidden_size=64, intermediate_size=96, num_attention_heads=4)
    write_gguf(make_model(LlamaConfig, config), "llama", "F32", path, pieces)
    texts = [text for text in TEXTS + RANDOM_TEXTS if "<s>" not in text]  # SentencePiece knows no special tokens in texts
    cases = [dict(text=text, ids=pieces.encode(text), decoded=pieces.decode(pieces.encode(text))) for text in texts]
    good, _ = compare(binary, path, dict(tokenizer_cases=cases), save=again)
    saved = Tokenizer.from_file(os.path.join(again, "tokenizer.json"))
    wrong = sum(saved.encode(case["text"], add_special_tokens=False).ids != case["ids"] for case in cases)
    return good, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/model_parity")
    parser.add_argument("--only", default="")
    parser.add_argument("--gguf", default="", help="also: save this model and compare transformers' logits")
    parser.add_argument("--golden", default="", help="the recorded values for --gguf")
    args = parser.parse_args()
    failures = 0

    def report(name, good, **figures):
        nonlocal failures
        failures += not good
        print(json.dumps(dict(case=name, ok=bool(good), **figures)), flush=True)

    with tempfile.TemporaryDirectory() as base:
        for name, (cls, more) in FAMILIES.items():
            if args.only not in name:
                continue
            model = make_model(cls, more)
            golden = reference(model, learns=True)
            for variant, options in (("", {}), ("_sharded", dict(max_shard_size="40KB"))):
                folder, again = os.path.join(base, name + variant), os.path.join(base, name + variant + "_again")
                model.save_pretrained(folder, **options)
                good, worst = compare(args.binary, folder, golden, save=again)
                back = saved_again(again, golden)
                report(name + variant, good and back <= TOLERANCE, max_error=worst, saved_again=back)
        if args.only in "bf16_safetensors":
            model = make_model(LlamaConfig, {}).bfloat16()
            folder = os.path.join(base, "bf16")
            model.save_pretrained(folder)
            # Loaded again: a cast of the whole model would also round its rotary frequencies.
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
            good, worst = compare(args.binary, folder, reference(model))
            report("bf16_safetensors", good, max_error=worst)
        for arch, cls, more in (("llama", LlamaConfig, dict(num_attention_heads=4)),
                                ("qwen2", Qwen2Config, dict(num_attention_heads=4, tie_word_embeddings=False)),
                                ("qwen3", Qwen3Config, dict(num_attention_heads=4, head_dim=32))):
            for kind in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4", "IQ4_NL", "TQ1_0", "TQ2_0",
                         "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"):
                name = f"gguf_{arch}_{kind}"
                if args.only not in name:
                    continue
                super_blocks = kind.endswith("_K") or kind.startswith("TQ") or kind == "IQ4_XS"  # of 256 weights
                sizes = dict(hidden_size=256, intermediate_size=256, initializer_range=0.05) if super_blocks else dict(hidden_size=64, intermediate_size=96)
                if super_blocks and arch == "qwen3":
                    sizes["head_dim"] = 64
                if kind in ("Q4_K", "Q6_K") or arch == "llama" or not super_blocks:
                    model = make_model(cls, {**more, **sizes})
                else:
                    continue  # an architecture's names do not depend on the type
                path = os.path.join(base, name + ".gguf")
                write_gguf(model, arch, kind, path)
                good, worst = compare(args.binary, path, reference(model))
                report(name, good, max_error=worst)
        if args.only in "tokenizers":
            model = make_model(LlamaConfig, dict(vocab_size=1000))
            for name, tok in tokenizers():
                folder = os.path.join(base, "tok_" + name)
                model.save_pretrained(folder)
                tok.save(os.path.join(folder, "tokenizer.json"))
                with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
                    json.dump(dict(bos_token="<s>", eos_token="</s>"), file)
                cases = []
                for text in TEXTS + RANDOM_TEXTS:
                    ids = tok.encode(text, add_special_tokens=False).ids
                    cases.append(dict(text=text, ids=ids, decoded=tok.decode(ids, skip_special_tokens=False)))
                good, worst = compare(args.binary, folder, dict(tokenizer_cases=cases))
                report("tokenizer_" + name, good)
            good, wrong = sentencepiece_case(args.binary, base)
            report("tokenizer_gguf_sentencepiece", good and wrong == 0, saved_again_wrong=wrong)
        if args.gguf:
            from transformers import AutoTokenizer
            again = os.path.join(base, "gguf_again")
            with open(args.golden, encoding="utf-8") as file:
                golden = json.load(file)
            done = subprocess.run([args.binary, "--save", again, args.gguf, args.golden], capture_output=True, text=True)
            model = AutoModelForCausalLM.from_pretrained(again, dtype=torch.float32).eval()
            tok = AutoTokenizer.from_pretrained(again)
            worst, wrong = 0.0, 0
            for prompt in golden["prompts"]:
                with torch.no_grad():
                    last = model(torch.tensor([prompt["ids"]])).logits[0, -1].double()
                for token, value in prompt["last_top10"]:
                    worst = max(worst, abs(last[token].item() - value))
                wrong += tok(prompt["text"], add_special_tokens=False)["input_ids"] != prompt["ids"]
            for case in golden["tokenizer_cases"]:
                wrong += tok(case["text"], add_special_tokens=False)["input_ids"] != case["ids"]
            report("saved_gguf_in_transformers", done.returncode == 0 and worst <= 2e-3 and wrong == 0, max_error=worst,
                   tokenizer_wrong=wrong)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
