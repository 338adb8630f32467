"""Scores a Parquet file of samples with Ray Data: actors that keep their engine, batches of rows, one column more.

    pip install assay ray pandas pyarrow
    python examples/python/ray_parquet.py IN.parquet OUT_FOLDER [RUBRIC]

IN has `completion` or `completions` and what the verifiers need (`answer`, ..). What a lost node was at, Ray does again; what could not be
scored is NaN with its reason beside it.
"""

import sys

import assay.ray
import ray


def main(source, target, rubric="math"):
    ray.init(include_dashboard=False, log_to_driver=False)
    samples = ray.data.read_parquet(source)
    scored = samples.map_batches(assay.ray.Scorer, fn_constructor_kwargs={"rubric": rubric}, concurrency=2, batch_size=4096)
    scored.write_parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
