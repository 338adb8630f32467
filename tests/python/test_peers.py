"""The adapters inside their peers' own packages, where these are installed (scripts/peers.py makes environments that have them)."""

import asyncio
import gzip
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest

import assay

ROOT = pathlib.Path(os.environ["ASSAY_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["ASSAY_BUILD_DIR"])
sys.path.insert(0, str(ROOT / "tests/cli/serve"))
from serve_client import Server  # noqa: E402


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
    assert assay.datasets.add_rewards(table, assay.score(table, "math"))["reward"][:] == [1.0, 0.0]
    mapped = table.map(lambda batch: {"reward": assay.score(batch, "math").rewards}, batched=True, num_proc=2)
    assert mapped["reward"][:] == [1.0, 0.0]
    assert assay.datasets.to_dataset(assay.score(table, "math"))["reward"][:] == [1.0, 0.0]


def test_prime_verifiers_v1():
    vf = pytest.importorskip("verifiers.v1", reason="verifiers 0.4 is not installed")

    class SumData(vf.TaskData):
        answer: str = ""

    class SumTask(vf.Task[SumData, vf.State, vf.TaskConfig]):
        @vf.reward(weight=2.0)
        async def right(self, trace: vf.Trace) -> float:
            return await assay.prime.score_trace(trace, {"answer": self.data.answer, "prompt": self.data.prompt_text})

    class Trace:
        """What Task.score uses of a trace, and its last reply."""

        def __init__(self, reply):
            self.last_reply, self.metrics, self.rewards = reply, {}, {}

        def record_reward(self, name, value, weight):
            self.rewards[name] = value * weight

    for reply, expected in (("<think>2+2</think>It is \\boxed{4}.", 2.0), ("5", 0.0)):
        trace = Trace(reply)
        asyncio.run(SumTask(SumData(idx=0, prompt="2+2?", answer="4")).score(trace))
        assert trace.rewards == {"right": expected}


def test_prime_verifiers_legacy():
    vf = pytest.importorskip("verifiers", reason="verifiers is not installed")
    if not hasattr(vf, "Rubric"):
        pytest.skip("this verifiers has the API v1 only")
    rubric = assay.prime.rubric(assay.math() + 0.5 * assay.format())
    state = {
        "prompt": [{"role": "user", "content": "2+2?"}],
        "completion": [{"role": "assistant", "content": "<think>a</think>\\boxed{4}"}],
        "answer": "4", "info": {}, "task": "math", "timing": {"scoring_ms": 0.0, "total_ms": 0.0}, "input": {}, "trajectory": [],
    }
    asyncio.run(rubric.score_rollout(state))
    assert state["reward"] == 1.5 and state["metrics"]["assay_format"] == 1.0


def test_openrlhf_executor(tmp_path):
    agent = pytest.importorskip("openrlhf.utils.agent", reason="openrlhf is not installed")
    (tmp_path / "reward.py").write_text("from assay.openrlhf import reward_func\n")
    executor = agent.SingleTurnAgentExecutor(str(tmp_path / "reward.py"))
    said = asyncio.run(executor._fetch_rewards_via_func(["q: 2+2?It is 4.<|im_end|>", "q: 2+2?5</s>"], ["q: 2+2?", "q: 2+2?"], ["4", "4"]))
    assert [float(one["rewards"]) for one in said] == [1.0, 0.0]


def test_openrlhf_asks_our_server():
    agent = pytest.importorskip("openrlhf.utils.agent", reason="openrlhf is not installed")
    with Server() as server:
        executor = agent.SingleTurnAgentExecutor(f"http://127.0.0.1:{server.port}/get_reward")
        replies = [("q: 2+2?It is 4.<|im_end|>", "4"), ("q: 2+2?5</s>", "4")]
        said = [asyncio.run(executor._fetch_rewards_via_http([query], ["q: 2+2?"], [label])) for query, label in replies]
    # Lists, as OpenRLHF's own server sends them.
    assert [(one[0]["rewards"], one[0]["scores"]) for one in said] == [([1.0], [1.0]), ([0.0], [0.0])]


def test_ray_data(tmp_path):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    if not hasattr(ray, "init"):
        pytest.skip("ray is not installed")
    rows = [{"id": i, "completion": str(i % 5), "answer": "3"} for i in range(500)]
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR")  # one for what is no actor
    try:
        table = ray.data.from_items(rows).map_batches(
            assay.ray.Scorer, fn_constructor_kwargs={"rubric": "math"}, concurrency=2, batch_size=64)
        got = {row["id"]: row["reward"] for row in table.take_all()}
    finally:
        ray.shutdown()
    assert got == dict(enumerate(assay.score(rows, "math").rewards))


def code_groups():
    """The HumanEval groups of the data folder, else the demo's programs."""
    found = pathlib.Path(os.environ.get("ASSAY_DATA", ROOT.parent / "shared/data")) / "sets/groups_humaneval_gpt3.jsonl.gz"
    lines = gzip.open(found, "rt").readlines() if found.exists() else (ROOT / "datasets/demo_code.jsonl").read_text().splitlines()
    kept = ("id", "task", "prompt", "entry_point", "test", "verification_info", "completions")
    return [{key: row[key] for key in kept if key in row} for row in map(json.loads, lines)]


class NotingScorer(assay.ray.Scorer):
    """Beside each row the node on which it was scored."""

    def __call__(self, batch):
        import numpy
        import ray

        node = ray.get_runtime_context().get_node_id()
        return {**super().__call__(batch), "node": numpy.array([node] * len(batch["id"]), dtype=object)}


def test_ray_cluster_that_loses_a_node(monkeypatch):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    if not hasattr(ray, "init"):
        pytest.skip("ray is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    rows = code_groups()
    node = {"num_cpus": 2, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        lost = cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        assert sum(one["Alive"] for one in ray.nodes()) == 2
        table = ray.data.from_items(rows, override_num_blocks=min(32, len(rows))).map_batches(
            NotingScorer, fn_constructor_kwargs={"rubric": "code", "jobs": 1}, num_cpus=1, concurrency=2, batch_size=4)
        got, nodes, killed_at = {}, set(), 0
        for row in table.iter_rows():
            got[row["id"]] = list(row["reward"])
            nodes.add(row["node"])
            if not killed_at and len(nodes) == 2:
                cluster.remove_node(lost, allow_graceful=False)
                killed_at = len(got)
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(f"{len(rows)} groups, one of two nodes killed after {killed_at}")
    assert 0 < killed_at < len(rows)
    assert got == {row["id"]: rewards for row, rewards in zip(rows, assay.score(rows, "code").rewards, strict=True)}


def test_ray_example(tmp_path):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    if not hasattr(ray, "init"):
        pytest.skip("ray is not installed")
    example = [sys.executable, ROOT / "examples/python/ray_parquet.py", "--make", "20000", tmp_path / "in.parquet", tmp_path / "out"]
    ran = subprocess.run(example, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "RAY_AUTH_MODE": "disabled"})
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    report = json.loads(ran.stdout.splitlines()[-1])
    rows = assay.datasets.read_rows(tmp_path / "in.parquet")
    assert report["samples"] == 20000 and report["not_scored"] == 0
    assert report["passed"] == sum(assay.score(rows, "math").rewards)


class CharTokenizer:
    """As much of a tokenizer as verl's reward managers use."""

    def decode(self, ids, skip_special_tokens=True):
        return "".join(chr(int(i)) for i in ids if int(i) > 0)


def verl_batch(samples):
    """A DataProto of (prompt, response, data_source, ground_truth)."""
    import numpy
    import torch
    from verl import DataProto

    def padded(texts, left):
        width = max(map(len, texts))
        rows = [[ord(c) for c in text] for text in texts]
        ids = [[0] * (width - len(row)) + row if left else row + [0] * (width - len(row)) for row in rows]
        return torch.tensor(ids)

    prompts, responses = padded([s[0] for s in samples], True), padded([s[1] for s in samples], False)
    tensors = {"prompts": prompts, "responses": responses, "attention_mask": (torch.cat([prompts, responses], 1) > 0).long()}
    columns = {
        "data_source": [s[2] for s in samples],
        "reward_model": [{"style": "rule", "ground_truth": s[3]} for s in samples],
        "extra_info": [{"index": i} for i in range(len(samples))],
    }
    return DataProto.from_dict(tensors=tensors, non_tensors={k: numpy.array(v, dtype=object) for k, v in columns.items()})


def test_verl_reward_managers():
    pytest.importorskip("verl", reason="verl is not installed")
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
    from verl.utils.import_utils import load_module
    from verl.workers.reward_manager.batch import BatchRewardManager

    module = load_module("pkg://assay.verl")
    tests = json.dumps({"inputs": ["1\n"], "outputs": ["2\n"]})
    samples = [
        ("2+2?", "#### 4", "openai/gsm8k", "4"),
        ("2+2?", "It is 5.", "lighteval/MATH", "4"),
        ("add one", "```python\nprint(int(input()) + 1)\n```", "codecontests", tests),
        ("bad row", "3", "codecontests", "{}"),
    ]
    expected = [1.0, 0.0, 1.0, 0.0]
    batch = verl_batch(samples)
    said = BatchRewardManager(CharTokenizer(), 0, module.compute_score_batch)(batch, return_dict=True)
    assert said["reward_tensor"].sum(dim=1).tolist() == expected
    assert said["reward_extra_info"]["scored"] == [1.0, 1.0, 1.0, 0.0]
    for function in (module.compute_score, module.compute_score_async):

        async def one_by_one(function=function):
            manager = NaiveRewardManager(None, CharTokenizer(), function)
            return [(await manager.run_single(batch[i : i + 1]))["reward_score"] for i in range(len(samples))]

        assert asyncio.run(one_by_one()) == expected


def test_verl_default_score_asks_our_server():
    pytest.importorskip("verl", reason="verl is not installed")
    from verl.utils.reward_score import default_compute_score

    echo = {"inputs": [f"{n}\n" for n in range(4)], "outputs": [f"{n + 1}\n" for n in range(4)]}
    function = {"inputs": ["[1, 2]", "[3]"], "outputs": ["3", "3"], "fn_name": "total"}
    asserted = {"assert_case": ["assert total([1, 2]) == 3", "assert total([]) == 0"]}
    program = "```python\nprint(int(input()) + 1)\n```"
    total = "```python\ndef total(xs):\n    return sum(xs)\n```"
    cases = [  # in order of the tests; "apps" and the like count the share of what passed
        (program, echo, 1.0), ("```python\nn = int(input())\nprint(n + 1 if n < 2 else n)\n```", echo, 0.5), ("no code", echo, 0.0),
        ("```python\nwhile True: pass\n```", {"inputs": ["1\n"], "outputs": ["2\n"]}, 0.0), (total, function, 1.0), (total, asserted, 1.0),
        ("```python\ndef total(xs):\n    return 3\n```", asserted, 0.5),
    ]
    with Server("--max-run-seconds", "5") as server:
        url = f"http://127.0.0.1:{server.port}/run_code"
        said = [default_compute_score("apps", text, json.dumps(tests), sandbox_fusion_url=url, concurrent_semaphore=threading.Semaphore(4),
                                      memory_limit_mb=512) for text, tests, _ in cases]
    assert [one["score"] if isinstance(one, dict) else float(one) for one in said] == [expected for _, _, expected in cases]


def test_verl_loads_our_reward_manager():
    pytest.importorskip("verl", reason="verl is not installed")
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import load_reward_manager

    config = OmegaConf.create({"reward": {
        "reward_manager": {"source": "importlib", "name": "RewardManager", "module": {"path": "pkg://assay.verl"}},
        "custom_reward_function": {"path": None, "reward_kwargs": {"unscored": -1.0}}}})
    samples = [("2+2?", "#### 4", "openai/gsm8k", "4"), ("2+2?", "It is 5.", "lighteval/MATH", "4"), ("bad", "3", "codecontests", "{}")]
    batch = verl_batch(samples * 8)

    async def together():
        manager = load_reward_manager(config, CharTokenizer())
        said = await asyncio.gather(*(manager.run_single(batch[i : i + 1]) for i in range(len(batch))))
        scores = [one["reward_score"] for one in said]
        return scores, type(manager).assemble_rm_scores(batch, scores).sum(dim=1).tolist(), said[2]["reward_extra_info"]

    scores, summed, extra = asyncio.run(together())
    assert scores == summed == [1.0, 0.0, -1.0] * 8
    assert extra["scored"] == 0.0 and extra["reason"]


def test_nemo_gym_resources_server():
    gym = pytest.importorskip("nemo_gym.base_resources_server", reason="nemo-gym is not installed")
    from unittest.mock import MagicMock

    from fastapi.testclient import TestClient
    from nemo_gym.server_utils import ServerClient

    config = gym.BaseResourcesServerConfig(host="127.0.0.1", port=8080, entrypoint="", name="sums")
    made = assay.nemo_gym.server(assay.math() + 0.5 * assay.format())(config=config, server_client=MagicMock(spec=ServerClient))
    client = TestClient(made.setup_webserver())
    assert client.post("/seed_session", json={}).status_code == 200

    def rollout(text, **row):
        part = {"type": "output_text", "text": text, "annotations": []}
        message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        response = {"id": "r", "created_at": 0, "model": "m", "object": "response", "output": [message], "parallel_tool_calls": False,
                    "tool_choice": "auto", "tools": []}
        return {"responses_create_params": {"input": [{"role": "user", "content": "2+2?"}]}, "response": response, **row}

    said = []
    for body in (rollout("<think>\nso\n</think>\n\\boxed{4}", expected_answer="4"), rollout("\\boxed{5}", expected_answer="4"), rollout("4")):
        answer = client.post("/verify", json=body)
        assert answer.status_code == 200, answer.text
        said.append(answer.json())
    assert [one["reward"] for one in said] == [1.5, 0.0, 0.0]
    assert [one["mask_sample"] for one in said] == [False, False, True] and said[2]["failure_reason"]
    assert said[0]["expected_answer"] == "4"  # a row's own fields go on to whoever collects the rollouts
    for place, one in enumerate(said):
        one.update({"_ng_task_index": 0, "_ng_rollout_index": place})
    metrics = client.post("/aggregate_metrics", json={"verify_responses": said})
    assert metrics.status_code == 200 and "0.5" in metrics.text, metrics.text
