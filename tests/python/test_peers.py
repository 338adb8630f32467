"""The adapters inside their peers' own packages, where these are installed (peers.py makes environments that have them)."""

import asyncio
import json
import os
import pathlib
import subprocess
import sys

import pytest

import assay

ROOT = pathlib.Path(os.environ["ASSAY_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["ASSAY_BUILD_DIR"])


def test_trl_trains_and_logs_what_assay_score_says(tmp_path):
    pytest.importorskip("trl")
    example = [sys.executable, ROOT / "examples/python/trl_grpo.py", tmp_path]
    ran = subprocess.run(example, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    score = [BUILD / "assay", "-q", "score", tmp_path / "completions.jsonl", "--verifier", "math"]
    lines = subprocess.run(score, capture_output=True, text=True, check=True).stdout.splitlines()
    rewards = {}
    for line in map(json.loads, lines):
        rewards.setdefault(line["step"], []).append(line["reward"])
    logged = [entry["rewards/math/mean"] for entry in json.loads((tmp_path / "log.json").read_text()) if "rewards/math/mean" in entry]
    assert len(logged) == len(rewards) == 20
    for (step, values), mean in zip(sorted(rewards.items()), logged, strict=True):
        assert abs(sum(values) / len(values) - mean) < 1e-6, step
    assert sum(map(sum, rewards.values())) > 0


def test_hugging_face_datasets():
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    if not hasattr(datasets, "Dataset"):
        pytest.skip("datasets is not installed")
    table = datasets.Dataset.from_list([{"completion": "3", "answer": "3"}, {"completion": "4", "answer": "3"}])
    assert assay.score(table, "math").rewards == [1.0, 0.0]
    assert assay.datasets.add_rewards(table, "math")["reward"][:] == [1.0, 0.0]
    mapped = table.map(lambda batch: {"reward": assay.score(batch, "math").rewards}, batched=True, num_proc=2)
    assert mapped["reward"][:] == [1.0, 0.0]
    assert assay.datasets.to_dataset(assay.score(table, "math"))["reward"][:] == [1.0, 0.0]


def test_prime_verifiers():
    vf = pytest.importorskip("verifiers", reason="verifiers is not installed")
    if not hasattr(vf, "__version__") and not hasattr(vf, "Rubric"):
        pytest.skip("verifiers is not installed")
    rubric = assay.prime.rubric(assay.math() + 0.5 * assay.format())
    names = [function.__name__ for function in rubric.funcs] if hasattr(rubric, "funcs") else rubric.get_reward_func_names()
    assert names == ["assay_reward", "assay_math", "assay_format"]
    state = {
        "prompt": [{"role": "user", "content": "2+2?"}],
        "completion": [{"role": "assistant", "content": "<think>a</think>\\boxed{4}"}],
        "answer": "4", "info": {}, "task": "math", "timing": {"scoring_ms": 0.0, "total_ms": 0.0}, "input": {}, "trajectory": [],
    }
    asyncio.run(rubric.score_rollout(state))
    assert state["reward"] == 1.5 and state["metrics"]["assay_format"] == 1.0


def test_ray_data(tmp_path):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    if not hasattr(ray, "init"):
        pytest.skip("ray is not installed")
    rows = [{"id": i, "completion": str(i % 5), "answer": "3"} for i in range(500)]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        table = ray.data.from_items(rows).map_batches(
            assay.ray.Scorer, fn_constructor_kwargs={"rubric": "math"}, concurrency=2, batch_size=64)
        got = {row["id"]: row["reward"] for row in table.take_all()}
    finally:
        ray.shutdown()
    assert got == dict(enumerate(assay.score(rows, "math").rewards))
