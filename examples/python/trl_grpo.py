"""TRL's GRPOTrainer with Assay's reward: twenty steps of a tiny random model that is asked for an even number, on a CPU.

    pip install assay trl
    python examples/python/trl_grpo.py OUT

The line that matters is `reward_funcs`. Two functions of one's own stand beside it, as TRL allows. OUT/completions.jsonl gets what was
sampled, a sample a line, so that `assay score` can be asked about the same; OUT/log.json is the trainer's log.
"""

import json
import pathlib
import sys

import assay
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "out/trl_grpo")
STEPS = 20


def tokenizer():
    """One token a character."""
    signs = ["<pad>", "<eos>", *"0123456789+=? \n"]
    made = Tokenizer(models.BPE(vocab={sign: i for i, sign in enumerate(signs)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", padding_side="left")


def model(vocabulary):
    config = LlamaConfig(vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=64, pad_token_id=0, eos_token_id=1, bos_token_id=None)
    return LlamaForCausalLM(config)


def short(completions, **_):
    """A function of one's own."""
    return [1.0 / (1 + len(completion)) for completion in completions]


class Recorder:
    """Another: it only writes down what it sees."""

    __name__ = "recorded"

    def __init__(self, path):
        self.path = path

    def __call__(self, prompts, completions, answer, trainer_state=None, **_):
        with open(self.path, "a", encoding="utf-8") as out:
            for prompt, completion, gold in zip(prompts, completions, answer, strict=True):
                row = {"prompt": prompt, "completion": completion, "answer": gold, "step": trainer_state.global_step}
                out.write(json.dumps(row) + "\n")
        return [0.0] * len(completions)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    record = OUT / "completions.jsonl"
    record.unlink(missing_ok=True)
    rows = [{"prompt": f"{n}=", "answer": [str(even) for even in range(0, 1000, 2)]} for n in range(64)]
    signs = tokenizer()
    settings = GRPOConfig(output_dir=str(OUT / "model"), max_steps=STEPS, per_device_train_batch_size=8, num_generations=8,
                          max_completion_length=3, logging_steps=1, learning_rate=1e-3, beta=0.0, report_to=[], save_strategy="no",
                          use_cpu=True, bf16=False, seed=7, reward_weights=[1.0, 0.1, 0.0], disable_tqdm=True)
    trainer = GRPOTrainer(model=model(len(signs)), args=settings, train_dataset=Dataset.from_list(rows), processing_class=signs,
                          reward_funcs=[assay.trl.reward("math"), short, Recorder(record)])
    trainer.train()
    (OUT / "log.json").write_text(json.dumps(trainer.state.log_history))


if __name__ == "__main__":
    main()
