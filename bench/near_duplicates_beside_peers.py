"""Near duplicates among the same replies by `assay select`, by datatrove's MinHash and by distilabel's MinHashDedup, one after the other; one
JSON line with seconds of CPU and wall for each, the ratios, and how many of the planted near duplicates each found.

    bench/near_duplicates_beside_peers.py --build build --venv FOLDER [--rows 20000] [--rounds 3]

FOLDER is a virtual environment with both, made where it is missing (PyPI is needed); what does not install is left out. All use 112 hash
functions; datatrove and we word 5-grams in 14 bands of 8 (words are what white space parts, the cheapest for it), distilabel its own
letter 5-grams at similarity 0.7. Ours is timed with the reading of the store and the writing of the data set, theirs with the reading of
the file; making the store is timed apart. One thread each. Rounds take turns; the medians count.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import virtual_env  # noqa: E402

DATATROVE = '''
import pathlib, sys
from loguru import logger
logger.remove()
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer
source, out = sys.argv[1:3]
class Words(WordTokenizer):
    """The cheapest that there can be: datatrove's own want packages for each language."""
    def word_tokenize(self, text):
        return text.split()
    def sent_tokenize(self, text):
        return [text]
    def span_tokenize(self, text):
        return [(0, len(text))]
config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
def reader():
    return JsonlReader(str(pathlib.Path(source).parent), glob_pattern=pathlib.Path(source).name, text_key="text", doc_progress=False)
steps = [[reader(), MinhashDedupSignature(f"{out}/sig", config, language=Words())],
         [MinhashDedupBuckets(f"{out}/sig", f"{out}/buckets", config=config)],
         [MinhashDedupCluster(f"{out}/buckets", f"{out}/remove", config=config)],
         [reader(), MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/kept", compression=None)]]
for number, pipeline in enumerate(steps):
    tasks = 14 if number == 1 else 1
    LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{out}/log{number}").run()
'''

DISTILABEL = '''
import json, pathlib, sys
from distilabel.steps import MinHashDedup
source, out = sys.argv[1:3]
step = MinHashDedup(tokenizer="ngrams", n=5, num_perm=112, threshold=0.7)
step.load()
with open(source) as lines, open(f"{out}/kept.jsonl", "w") as kept:
    rows = [json.loads(line) for line in lines]
    for start in range(0, len(rows), 500):
        for batch in step.process(rows[start:start + 500]):
            for row in batch:
                if row["keep_row_after_minhash_filtering"]:
                    kept.write(json.dumps(row) + "\\n")
'''


def make_rows(count, seed):
    """Replies of 80 words; every twentieth is another one with two words changed."""
    rng = random.Random(seed)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9))) for _ in range(5000)]
    texts, planted = [], set()
    for i in range(count):
        if i % 20 == 19:
            copy = texts[rng.randrange(len(texts))].split()
            for _ in range(2):
                copy[rng.randrange(len(copy))] = rng.choice(words)
            texts.append(" ".join(copy))
            planted.add(i)
        else:
            texts.append(" ".join(rng.choices(words, k=80)))
    return texts, planted


def timed(*command, **more):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        return None, done.stderr.strip()[-500:]
    return {"cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "wall_s": time.monotonic() - start}, ""


def kept_of(files):
    return {json.loads(line)["id"] for file in files for line in file.open()}


def ours(assay, source, folder):
    store = folder / "s.sqlite"
    insert, error = timed(assay, "import", source, "--store", store, "-q")
    if insert is None:
        sys.exit(error)
    spent, error = timed(assay, "select", "--store", store, "--strategy", "all", "--keep-unscored", "--near-duplicates", "--dataset", "d", "-j1", "-q")
    if spent is None:
        sys.exit(error)
    out = folder / "kept.jsonl"
    timed(assay, "export", "--store", store, "--dataset", "d", "--format", "jsonl", "--no-card", "-o", out, "-q")
    return dict(spent, import_cpu_s=insert["cpu_s"]), kept_of([out])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    python = virtual_env.python_of(options.venv, ["datatrove==0.10.1", "distilabel==1.5.3", "datasketch==1.6.5", "xxhash<4", "nltk", "orjson", "tokenizers", "requests"])
    assay = options.build.resolve() / "assay"
    texts, planted = make_rows(options.rows, 7)
    figures = {name: [] for name in ("assay", "datatrove", "distilabel")}
    found, errors = {}, {}
    environment = dict(os.environ, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "source" / "rows.jsonl"
        source.parent.mkdir()
        source.write_text("".join(json.dumps({"id": str(i), "prompt": f"Say it {i}.", "completion": t, "text": t}) + "\n" for i, t in enumerate(texts)))
        for number in range(options.rounds):
            for name, program in (("assay", None), ("datatrove", DATATROVE), ("distilabel", DISTILABEL)):
                folder = pathlib.Path(scratch) / f"{name}{number}"
                folder.mkdir()
                if program is None:
                    spent, kept = ours(assay, source, folder)
                elif python is None or name in errors:
                    continue
                else:
                    spent, errors_of = timed(python, "-c", program, source, folder, env=environment)
                    if spent is None:
                        errors[name] = errors_of
                        continue
                    kept = kept_of([*folder.glob("kept/*.jsonl"), *folder.glob("kept.jsonl")])
                figures[name].append(spent)
                dropped = {i for i in range(options.rows) if str(i) not in kept}
                # Of two that are near each other either may go: one dropped for each that was planted.
                found[name] = {"dropped": len(dropped), "planted": len(planted)}
    result = {"bench": "near_duplicates", "rows": options.rows, "rounds": options.rounds, "load": os.getloadavg()[0]}
    for name, rounds in figures.items():
        if rounds:
            result[name] = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]} | found[name]
    for name in ("datatrove", "distilabel"):
        if name in result:
            result[f"cpu_ratio_{name}"] = result[name]["cpu_s"] / result["assay"]["cpu_s"]
    if errors:
        result["errors"] = errors
    print(json.dumps(result))


if __name__ == "__main__":
    main()
