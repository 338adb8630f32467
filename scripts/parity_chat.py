#!/usr/bin/env python3
"""Chat templates against transformers: the token ids of 30 conversations, and of 5 whose last message is continued, under each
published template, ours (build/chat_parity) beside
apply_chat_template's. The templates are those that a wheel of TRL carries; nothing of it is kept here.

  parity_chat.py --binary build/chat_parity --templates FOLDER [--only NAME]     needs transformers (scripts/parity_venv.py)

One line a template: how many conversations agree, and how many the template refuses (both must refuse). Exit 1 if any differs.
"""
import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds é", "parameters": {
    "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}]}


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def conversations():
    """(messages, tools, kwargs, add_generation_prompt)"""
    user, reply = turn("user", "What is 1+1?"), turn("assistant", "It is 2.")
    system, thought = turn("system", "Answer \"briefly\" {x}."), turn("assistant", "<think>\none and one\n</think>\n\nTwo.")
    talks = [[user], [system, user], [user, reply], [system, user, reply, user], [user, reply, user, reply, user],
             [turn("user", "  spaces \n\n")], [turn("user", "日本語 🙂\ttab")], [turn("system", ""), user], [user, thought],
             [user, thought, user], [system, user, thought, user, thought], [turn("user", "a <b> & \"c\" 'd' {{ e }} {% f %}")],
             [turn("user", "")], [user, turn("assistant", " padded \n"), user]]
    for talk in talks:
        yield talk, None, None, True
    for talk in (talks[2], talks[4], talks[8], talks[10], talks[3]):
        yield talk, None, None, False
    yield [user], TOOLS, None, True
    yield [system, user], TOOLS, None, True
    yield [user, CALL, turn("tool", "3", name="add")], TOOLS, None, True
    yield [user, CALL, turn("tool", "3", name="add"), reply, user], None, None, True
    for value in (True, False):
        yield [user], None, {"enable_thinking": value}, True
        yield [user, thought, user], None, {"enable_thinking": value}, True
    yield [user, turn("assistant", "Two.", reasoning_content="one and one"), user], None, None, True
    yield [user, turn("assistant", "Two.", reasoning_content="one and one")], None, None, False
    yield [user, user], None, None, True


def continued():
    """Conversations whose last message is the start of a reply."""
    user = turn("user", "What is 1+1?")
    for start in ("It is", "  two \n", "<think>\none and", "1."):
        yield [user, turn("assistant", start)], None, None, False
    yield [turn("system", "Be brief."), user, turn("assistant", "2"), user, turn("assistant", "Again 2")], None, None, False


def make_tokenizer(folder, template):
    marks = sorted(set(re.findall(r"<[|｜]?[A-Za-z_/▁][^<>{}'\"\s]{0,40}>|\[/?[A-Z_]{3,20}\]", template)) | {"<s>", "</s>"})
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=marks)
    core.train_from_iterator([template, "What is one and one? It is two. assistant user system"], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")
    made.chat_template = template
    made.save_pretrained(folder)
    return made


class StillClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


def theirs(tokenizer, talk, tools, kwargs, prompt, goes_on):
    try:
        text = tokenizer.apply_chat_template(talk, tools=tools, add_generation_prompt=prompt, continue_final_message=goes_on,
                                             tokenize=False, **(kwargs or {}))
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    except Exception:  # whatever a template raises
        return None


def compare(binary, template):
    """(agreed, refused, differing inputs)"""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(folder, template)
        inputs = [(*talk, False) for talk in conversations()] + [(*talk, True) for talk in continued()]
        lines = "".join(json.dumps(dict(messages=m, tools=t, kwargs=k, add_generation_prompt=p, continue_final_message=c)) + "\n"
                        for m, t, k, p, c in inputs)
        done = subprocess.run([binary, folder], input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return 0, 0, [done.stderr]
    agreed, refused, wrong = 0, 0, []
    for given, line in zip(inputs, done.stdout.splitlines(), strict=True):
        ours, want = json.loads(line), theirs(tokenizer, *given)
        if ours.get("ids") != want:
            wrong.append((given, ours, want and tokenizer.decode(want)))
        elif want is None:
            refused += 1
        else:
            agreed += 1
    return agreed, refused, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--templates", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    chat_template_utils.datetime = StillClock
    bad = families = 0
    for path in sorted(options.templates.glob("*.jinja")):
        if options.only not in path.stem:
            continue
        agreed, refused, wrong = compare(options.binary, path.read_text())
        families += 1
        bad += bool(wrong)
        print(f"{path.stem}: {agreed} agree, {refused} refused by both, {len(wrong)} differ", flush=True)
        for entry in wrong[:2]:
            print("   ", entry, file=sys.stderr)
    print(f"{families} templates, {bad} differ")
    sys.exit(1 if bad or not families else 0)


if __name__ == "__main__":
    main()
