#!/usr/bin/env python3
"""make_words.py DIR: word problems about two numbers of two digits (1.6 million possible), in ChatML as SmolLM2-Instruct has it: train.jsonl,
eval.jsonl (held out: no pair of numbers of it is in the other, in either order) and sft.jsonl (3,000 of train with the answer alone as
completion). The answer is a pattern for the verifier `regex`: one number in the whole reply, and that one right, so that neither an
expression nor a list of guesses earns anything."""
import json
import os
import random
import sys

NAMES = "Tom Anna Ben Mia Leo Eva Max Ida Sam Zoe".split()
THINGS = "apples pens coins cards shells books stamps eggs beads nuts".split()
SEED = 1


def problem(rng, number, a, b):
    name, things = rng.choice(NAMES), rng.choice(THINGS)
    if rng.random() < 0.5:
        question = f"{name} has {a} {things} and buys {b} more. How many {things} does {name} have now?"
        answer = a + b
    else:
        a, b = max(a, b), min(a, b)
        question = f"{name} has {a} {things} and gives away {b}. How many {things} are left?"
        answer = a - b
    prompt = f"<|im_start|>user\n{question} Answer with one number.<|im_end|>\n<|im_start|>assistant\n"
    return {"id": str(number), "prompt": prompt, "answer": f"[^0-9]*{answer}[^0-9]*"}, str(answer)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(SEED)
    held_out = set()

    def rows(count, of_eval):
        made = []
        while len(made) < count:
            a, b = rng.randrange(10, 100), rng.randrange(10, 100)
            if (a, b) in held_out:
                continue
            if of_eval:
                held_out.update({(a, b), (b, a)})
            made.append(problem(rng, len(made), a, b))
        return made

    def write(name, lines):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.writelines(json.dumps(line) + "\n" for line in lines)

    write("eval.jsonl", [row for row, _ in rows(600, True)])
    train = rows(60000, False)
    write("train.jsonl", [row for row, _ in train])
    write("sft.jsonl", [{"prompt": row["prompt"], "completion": answer} for row, answer in train[:3000]])


main()
