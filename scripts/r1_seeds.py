#!/usr/bin/env python3
"""r1_seeds.py [--build DIR] [--out DIR] [--seeds 1,2,3] [--recipe R.toml ..] [--set STAGE.KEY=VALUE ..]: runs recipes with several seeds, all of
one seed in one folder (stages that they share run once), and prints what `docs/r1.md` says: of every evaluated model mean and spread over the
seeds, the claims of the recipe, and the time of each recipe. What was run is not run again; a seed that fails is told and left out. Exit 1 then."""

import argparse
import json
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPES = ["r1-tiny", "r1-zero-tiny"]


def run(args, seed, folder):
    """{recipe: seconds, by the clock and as the stages' sum} or None."""
    times = {}
    for recipe in args.recipe:
        words = [f"{args.build}/assay", "pipeline", recipe, "--out", str(folder), "--set", f"seed={seed}"]
        for override in args.set:
            stage = override.split(".")[0]
            if f'name = "{stage}"' in pathlib.Path(recipe).read_text():
                words += ["--set", override]
        print("$ " + " ".join(words), file=sys.stderr, flush=True)
        begun = time.time()
        if subprocess.run(words, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
            return None
        stages = json.loads((folder / "stages.json").read_text())["stages"]
        times[pathlib.Path(recipe).stem] = (time.time() - begun, sum(stage["seconds"] for stage in stages))
    return times


def figures_of(folder):
    """{evaluated stage: {accuracy, format, language, mixed, tokens}}, shares in percent."""
    out = {}
    for file in sorted(folder.glob("*/stage.json")):
        figures = json.loads(file.read_text()).get("figures")
        # Stages that only score have figures too, and sampled nothing.
        if not figures or not figures.get("terms") or not (file.parent / "groups.jsonl").exists():
            continue
        terms = figures["terms"]
        row = {name: 100 * term["share"] for name, term in terms.items()}
        if "language" in terms:
            row["mixed"] = 100 * terms["language"]["reasons"].get("mixed_language", 0) / terms["language"]["judged"]
        row["tokens"] = figures["mean_tokens"]
        out[file.parent.name.removeprefix("eval-")] = row
    return out


def hardest_lengths(folder, stage):
    """Tokens of the replies to the hardest problems in the first and in the last ten steps of a stage of RL."""
    file = folder / stage / "run" / "samples.sqlite"
    if not file.exists():
        return None
    store = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    rows = store.execute("""SELECT CAST(substr(i.file, 6, instr(i.file, '/') - 6) AS INTEGER), json_extract(r.extra, '$.level'),
        json_array_length(s.token_ids) FROM samples s JOIN rows r ON r.id = s.row_id JOIN inputs i ON i.id = r.input_id""").fetchall()
    store.close()
    rows = [row for row in rows if row[1] is not None and row[2]]
    if not rows:
        return None
    hardest, last = max(row[1] for row in rows), max(row[0] for row in rows)
    first_steps = [row[2] for row in rows if row[1] == hardest and row[0] <= 10]
    last_steps = [row[2] for row in rows if row[1] == hardest and row[0] > last - 10]
    return statistics.mean(first_steps), statistics.mean(last_steps)


def spread(values):
    mean = statistics.mean(values)
    return f"{mean:.1f} ± {statistics.stdev(values):.1f}" if len(values) > 1 else f"{mean:.1f}"


def claims_of(folder, figures):
    """What the recipe is to show, as numbers."""
    claims = {}

    def claim(name, needed, value):
        if all(stage in figures for stage in needed):
            claims[name] = value()

    def points(a, b, key="accuracy"):
        return lambda: figures[a][key] - figures[b][key]

    def less(a, b, key):
        return lambda: 100 * (1 - figures[a][key] / figures[b][key]) if figures[b][key] else 0.0

    claim("R1-Zero above its base, points", ["zero", "base"], points("zero", "base"))
    claim("R1 above R1-Zero, points", ["r1", "zero"], points("r1", "zero"))
    claim("mixing: reward for one language beside R1-Zero, % less", ["zero-language", "zero"], less("zero-language", "zero", "mixed"))
    claim("mixing: R1 beside R1-Zero, % less", ["r1", "zero"], less("r1", "zero", "mixed"))
    claim("reward for short replies, % fewer tokens", ["zero-short", "zero"], less("zero-short", "zero", "tokens"))
    claim("distilled above the same student with RL alone, points", ["distilled", "small-rl"], points("distilled", "small-rl"))
    for control in ("random", "format-only"):
        claim(f"control {control} above its base, points", [control, "base"], points(control, "base"))
    lengths = hardest_lengths(folder, "zero")
    if lengths:
        claims["hardest problems, tokens in R1-Zero's first ten steps"], claims["the same in its last ten"] = lengths
    return claims


def table(by_seed):
    names = [name for name in next(iter(by_seed.values()))[0]]
    columns = ["accuracy", "format", "language", "mixed", "tokens"]
    print("| model | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in names:
        rows = [figures[name] for figures, _, _ in by_seed.values() if name in figures]
        print(f"| {name} | " + " | ".join(spread([row[c] for row in rows]) if all(c in row for row in rows) else "" for c in columns) + " |")
    print("\n| claim | mean and spread | by seed |\n|---|---|---|")
    for name in next(iter(by_seed.values()))[1]:
        values = [claims[name] for _, claims, _ in by_seed.values() if name in claims]
        print(f"| {name} | {spread(values)} | {', '.join(f'{value:.1f}' for value in values)} |")
    print("\n| recipe | minutes by the clock, by seed (what was there already is not made again) | sum of its stages, minutes |\n|---|---|---|")
    for recipe in next(iter(by_seed.values()))[2]:
        clock, stages = (", ".join(f"{times[recipe][i] / 60:.1f}" for _, _, times in by_seed.values()) for i in (0, 1))
        print(f"| {recipe} | {clock} | {stages} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="out/r1-seeds")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--recipe", action="append")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    args = parser.parse_args()
    args.build = str(pathlib.Path(args.build).resolve())
    args.recipe = args.recipe or [f"datasets/recipes/{name}.toml" for name in RECIPES]
    args.recipe = [str(pathlib.Path(recipe).resolve()) if pathlib.Path(recipe).exists() else str(ROOT / recipe) for recipe in args.recipe]
    by_seed, failed = {}, []
    for seed in args.seeds.split(","):
        folder = pathlib.Path(args.out).resolve() / f"seed-{seed}"
        times = run(args, seed, folder)
        if times is None:
            print(f"seed {seed} failed", file=sys.stderr)
            failed.append(seed)
            continue
        figures = figures_of(folder)
        by_seed[seed] = (figures, claims_of(folder, figures), times)
    if by_seed:
        print(f"{len(by_seed)} seeds ({', '.join(by_seed)}); shares in percent, mean ± standard deviation over seeds\n")
        table(by_seed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
