"""Scores a Parquet file of samples with Ray Data: actors that keep their engine, batches of rows, three columns more.

    pip install assay 'ray[data]' pandas pyarrow
    python examples/python/ray_parquet.py [--make N] [--rubric math] [--actors N] IN.parquet OUT_FOLDER

IN has `completion` or `completions` and what the verifiers need (`answer`, ..); --make writes one of N short sums first, a million if you like.
Rows stream: what is in memory at once is some batches an actor, however large the file. What a lost node was at, Ray does again; what could not be
scored is NaN with its reason beside it. The last line printed is a summary.
"""

import argparse
import json
import random
import time

import assay.ray
import pyarrow
import pyarrow.parquet
import ray


def make(path, count):
    draw = random.Random(7)
    forms = ("The answer is {}.", "\\boxed{{{}}}", "So we get {}.", "\\frac{{{}}}{{1}}")
    schema = pyarrow.schema([("id", pyarrow.int64()), ("completion", pyarrow.string()), ("answer", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema) as out:
        for begin in range(0, count, 50_000):
            ids = list(range(begin, min(begin + 50_000, count)))
            golds = [draw.randrange(1000) for _ in ids]
            said = [draw.choice(forms).format(gold if draw.random() < 0.6 else gold + 1) for gold in golds]
            out.write_table(pyarrow.table([ids, said, [str(gold) for gold in golds]], schema=schema))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=int, default=0, metavar="N")
    parser.add_argument("--rubric", default="math")
    parser.add_argument("--actors", type=int, default=0, help="by default one less than there are CPUs: reading and writing need one")
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse_args()
    if options.make:
        make(options.source, options.make)
    ray.init(include_dashboard=False, log_to_driver=False)
    actors = options.actors or max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)
    begin = time.perf_counter()
    samples = ray.data.read_parquet(options.source)
    scored = samples.map_batches(assay.ray.Scorer, fn_constructor_kwargs={"rubric": options.rubric}, concurrency=actors,
                                 batch_size=4096)
    scored.write_parquet(options.target)
    seconds = time.perf_counter() - begin
    rewards = pyarrow.parquet.read_table(options.target, columns=["reward"]).column("reward").to_numpy()
    known = rewards[rewards == rewards]
    print(json.dumps({"samples": len(rewards), "passed": int((known == 1).sum()), "not_scored": len(rewards) - len(known),
                      "seconds": round(seconds, 1)}))


if __name__ == "__main__":
    main()
