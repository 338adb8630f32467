"""TRL's GRPOTrainer at the work of `assay_bench_gpu grpo`: SmolLM2-135M's shapes with random weights, float32 masters and bfloat16, --prompts x
--group completions of exactly --new tokens from --prompt tokens, beta 0.04, micro-batches of --micro rows. One JSON line: seconds of a step
(median after the first), of its generation, peak memory. Needs trl, transformers, datasets, a GPU.

    python3 bench/trl_gpu.py [--prompts 32] [--group 8] [--prompt 61] [--new 256] [--micro 32] [--steps 3]
"""

import argparse
import json
import os
import random
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

parser = argparse.ArgumentParser()
for name, value in (("prompts", 32), ("group", 8), ("prompt", 61), ("new", 256), ("micro", 32), ("steps", 3)):
    parser.add_argument(f"--{name}", type=int, default=value)
args = parser.parse_args()

import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

VOCABULARY = 49152


def save_model(folder):
    """Random weights, and a tokenizer that knows a word for each id."""
    config = transformers.LlamaConfig(vocab_size=VOCABULARY, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                                      num_attention_heads=9, num_key_value_heads=3, head_dim=64, tie_word_embeddings=True,
                                      max_position_embeddings=8192, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    torch.manual_seed(1)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w2", pad_token="w0", bos_token="w1",
                                                padding_side="left")


rewarded, ended = [], []


def reward(prompts, completions, **_):
    rewarded.append(time.time())
    return [float(len(text) % 7) for text in completions]


class Clock(transformers.TrainerCallback):
    def on_step_end(self, *_, **__):
        torch.cuda.synchronize()
        ended.append(time.time())


def main():
    numbers = random.Random(7)
    prompts = [" ".join(f"w{numbers.randrange(3, VOCABULARY)}" for _ in range(args.prompt)) for _ in range(4 * args.prompts)]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = save_model(folder)
        config = trl.GRPOConfig(
            output_dir=folder + "/out", per_device_train_batch_size=args.micro,
            gradient_accumulation_steps=args.prompts * args.group // args.micro, num_generations=args.group,
            max_completion_length=args.new, max_steps=args.steps, logging_steps=1, report_to=[], bf16=True, beta=0.04,
            learning_rate=1e-6, temperature=1.0, save_strategy="no", disable_tqdm=True,
            generation_kwargs={"min_new_tokens": args.new}, model_init_kwargs={"dtype": "float32"})
        trainer = trl.GRPOTrainer(model=folder, reward_funcs=reward, args=config, processing_class=tokenizer,
                                  train_dataset=Dataset.from_list([{"prompt": text} for text in prompts]))
        trainer.add_callback(Clock())
        begun = time.time()
        trainer.train()
    steps = sorted(b - a for a, b in zip(ended, ended[1:]))
    sampling = sorted(b - a for a, b in zip(ended, rewarded[1:]))
    print(json.dumps({
        "bench": "trl_gpu_grpo", "device": torch.cuda.get_device_name(), "trl": trl.__version__, "torch": torch.__version__,
        "transformers": transformers.__version__, "attention": trainer.model.config._attn_implementation,
        "first_step_s": ended[0] - begun, "step_s": steps[len(steps) // 2], "sample_s": sampling[len(sampling) // 2],
        "sample_tok_s": args.prompts * args.group * args.new / sampling[len(sampling) // 2],
        "peak_allocated_gb": torch.cuda.max_memory_allocated() / 2**30, "peak_reserved_gb": torch.cuda.max_memory_reserved() / 2**30}))


main()
