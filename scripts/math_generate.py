"""Random pairs of gold and reply through `assay score`: kinds of answers x spellings x frames x languages x what follows.

Equal and nearly equal partners are made by construction (math_kinds.py); SymPy writes and checks what it can. Prints one JSON line with the
counts of each kind; with --show every false accept and false reject.

    math_generate.py --build build --venv FOLDER [--pairs 50000] [--seed 1] [--show N] [--kinds integer,money] [--only bare]

FOLDER is a virtual environment, made where it is missing (PyPI is needed). Exit 1 if anything was accepted falsely or more than 0.5 % rejected
falsely; 77 if SymPy cannot be installed.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import virtual_env

# (language, sentence): {} is the answer. The sentence is the whole last line of a reply.
ANCHORS = [
    ("English", "The answer is {}."),
    ("English", "Therefore, the final answer is {}."),
    ("English", "Answer: {}"),
    ("English", "**Answer:** {}"),
    ("English", "**Final Answer**: {}"),
    ("English", "So the answer is: {}."),
    ("English", "Thus, the correct answer is {}."),
    ("English", "Final answer: {}"),
    ("English", "#### {}"),
    ("English", "<answer>{}</answer>"),
    ("English", "ANSWER: {}"),
    ("English", "Hence our final result: the answer is {}."),
    ("Chinese", "所以答案是{}。"),
    ("Chinese", "答案：{}"),
    ("Chinese", "因此，最终答案是 {}。"),
    ("Chinese", "【答案】{}"),
    ("Chinese", "故答案为：{}。"),
    ("Spanish", "La respuesta es {}."),
    ("Spanish", "Respuesta: {}"),
    ("French", "La réponse est {}."),
    ("French", "Réponse finale : {}"),
    ("German", "Die Antwort ist {}."),
    ("German", "Antwort: {}"),
    ("Russian", "Ответ: {}"),
    ("Russian", "Итак, ответ: {}."),
    ("Japanese", "答えは{}です。"),
    ("Japanese", "答え：{}"),
    ("Korean", "정답은 {}입니다."),
    ("Korean", "답: {}"),
    ("Portuguese", "A resposta é {}."),
    ("Portuguese", "Resposta: {}"),
    ("Italian", "La risposta è {}."),
    ("Italian", "Risposta: {}"),
    ("Polish", "Odpowiedź: {}"),
    ("Dutch", "Antwoord: {}"),
    ("Turkish", "Cevap: {}"),
    ("Vietnamese", "Đáp án: {}"),
    ("Indonesian", "Jawaban: {}"),
    ("Hindi", "उत्तर: {}"),
    ("Arabic", "الجواب: {}"),
    ("Bengali", "উত্তর: {}"),
    ("Thai", "คำตอบ: {}"),
    ("Swahili", "Jibu: {}"),
    ("Telugu", "సమాధానం: {}"),
]
WORK = [
    "First we set up the equation and simplify it.",
    "Let me think about this step by step.\n\nWe start from 17 and go on.",
    "Using 2 + 3 = 5, we get closer.",
    "由题意可得，先求和再相减。",
    "Primero sumamos 4 y 8.",
    "<think>\nPerhaps 12? No, let me check again.\n</think>\nAfter simplification the terms cancel.",
    "## Step 1\nWe note that 6 divides 24.\n\n## Step 2\nThe rest follows.",
]
# What may stand behind an announced answer without changing it.
BEHIND = [
    "",
    "",
    "",
    "",
    "\n",
    "  ",
    "\n\nHope this helps!",
    "\n\nLet me know if you have questions.",
    "<|im_end|>",
    "\n```",
    "\n\n---",
]


def in_dollars(text, rng):
    if type(text).__name__ == "Plain":
        return str(text)
    return rng.choice(["${}$", "${}$", "\\({}\\)", "$ {} $"]).replace("{}", text, 1)


def bare(text, rng):
    return str(text) if rng.random() < 0.6 or type(text).__name__ == "Plain" else f"${text}$"


def whole(text, rng):
    return in_dollars(text, rng)


def announced(text, rng):
    _, sentence = rng.choice(ANCHORS)
    return rng.choice(WORK) + "\n\n" + sentence.replace("{}", in_dollars(text, rng)) + rng.choice(BEHIND)


def boxed(text, rng):
    inner = str(text)
    frame = rng.choice(
        [
            "The result is $\\boxed{{}}$.",
            "\\[\\boxed{{}}\\]",
            "$$\\boxed{{}}$$",
            "\\boxed{{}}",
            "So we get $\\boxed{{}}$",
            "**Final Answer**\n\\[\n\\boxed{{}}\n\\]",
            "因此答案是$\\boxed{{}}$。",
            "The answer is \\boxed{{}}.",
        ]
    )
    return rng.choice(WORK) + "\n\n" + frame.replace("{{}}", "{" + inner + "}") + rng.choice(BEHIND)


def displayed(text, rng):
    return (
        rng.choice(WORK)
        + " Therefore the answer is\n"
        + rng.choice(["\\[\n{}\n\\]", "$$ {} $$", "$${}.$$"]).replace("{}", str(text), 1)
    )


FRAMES = {"bare": bare, "whole": whole, "announced": announced, "boxed": boxed, "displayed": displayed}
# Braces and percent signs of plain text are no TeX; such a spelling is not put into a box or a formula.
TEX_UNSAFE = set("$%{}")


def fits(frame, text):
    plain = type(text).__name__ == "Plain"
    if frame in ("boxed", "displayed"):
        return not plain or not (TEX_UNSAFE & set(text) or "*" in text)
    return True


def make_pairs(options):
    import math_kinds  # needs SymPy

    kinds = [kind for kind in math_kinds.KINDS if not options.kinds or kind.__name__ in options.kinds.split(",")]
    rng = random.Random(options.seed)
    frames = [frame for frame in FRAMES if not options.only or frame in options.only.split(",")]
    count = 0
    while count < options.pairs:
        kind = kinds[count % len(kinds)]
        gold, equal, near = kind(rng)
        same, pool = (True, equal) if rng.random() < 0.55 else (False, near)
        frame = rng.choice(frames)
        pool = [text for text in pool if fits(frame, text)]
        if not pool:
            continue
        text = rng.choice(pool)
        options_of_row = {"mode": "bare"} if frame == "bare" else {}
        if kind.__name__ == "choice":
            options_of_row["choices"] = list("ABCDE")
        yield {
            "id": f"{kind.__name__}-{count}",
            "kind": kind.__name__,
            "frame": frame,
            "expect": same,
            "answer": gold,
            "completion": FRAMES[frame](text, rng),
            "options": {"math": options_of_row},
        }
        count += 1


def judge(options, rows, folder):
    pairs, scored = folder / "pairs.jsonl", folder / "scored.jsonl"
    with pairs.open("w") as out:
        for row in rows:
            out.write(
                json.dumps(
                    {
                        "id": row["id"],
                        "task": "math",
                        "answer": row["answer"],
                        "completion": row["completion"],
                        "options": row["options"],
                    }
                )
                + "\n"
            )
    done = subprocess.run(
        [options.build / "assay", "score", pairs, "-q", "-o", scored], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    with scored.open() as lines:
        return [json.loads(line) for line in lines]


def report(rows, verdicts, show):
    table = collections.defaultdict(lambda: {"pairs": 0, "false_accepts": 0, "false_rejects": 0, "faults": 0})
    shown = 0
    for row, scored in zip(rows, verdicts, strict=True):
        verdict = (scored.get("verdicts") or {}).get("math", {"outcome": "error"})
        counts = table[row["kind"]]
        counts["pairs"] += 1
        passed = verdict["outcome"] == "pass"
        wrong = {(True, False): "false_accepts", (False, True): "false_rejects"}.get((passed, row["expect"]))
        if verdict["outcome"] in ("fault", "error"):
            wrong = "faults"
        if wrong is None:
            continue
        counts[wrong] += 1
        if shown < show:
            shown += 1
            print(
                f"{wrong} {row['kind']} {row['frame']}: gold {row['answer']!r} reply {row['completion'][-120:]!r}: {verdict.get('reason')} {verdict.get('detail', '')}",
                file=sys.stderr,
            )
    total = {
        key: sum(counts[key] for counts in table.values()) for key in ("pairs", "false_accepts", "false_rejects", "faults")
    }
    kinds = {kind: {key: value for key, value in counts.items() if value} for kind, counts in sorted(table.items())}
    print(
        json.dumps(
            {
                **total,
                "false_reject_percent": round(100 * total["false_rejects"] / max(1, sum(row["expect"] for row in rows)), 3),
                "kinds": kinds,
            }
        )
    )
    return 1 if total["false_accepts"] or total["faults"] or total["false_rejects"] * 200 > total["pairs"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, default=50000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print so many wrong verdicts")
    parser.add_argument("--kinds", help="only these, with commas")
    parser.add_argument("--only", help="only these frames, with commas: " + ", ".join(FRAMES))
    options = parser.parse_args()
    python = virtual_env.python_of(options.venv, ["sympy==1.14.0"])
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM SymPy cannot be installed")
        sys.exit(77)
    if pathlib.Path(sys.prefix).resolve() != pathlib.Path(options.venv).resolve():
        os.execv(python, [python, __file__, *sys.argv[1:]])
    options.build = options.build.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        rows = list(make_pairs(options))
        sys.exit(report(rows, judge(options, rows, pathlib.Path(scratch)), options.show))


if __name__ == "__main__":
    main()
