"""The adapters by the calls that their peers make (shared signatures; the peers' own packages are tried in test_peers.py)."""

import asyncio
import concurrent.futures
import importlib.util
import json
import os
import pathlib
import pickle

import pytest

import assay

CHAT = [{"role": "user", "content": "2+2?"}]
TESTS = json.dumps({"inputs": ["1\n"], "outputs": ["2\n"]})
PROGRAM = "```python\nprint(int(input()) + 1)\n```"


# --- TRL: keywords only, columns as lists, further objects that are no columns.


def test_trl_standard_and_conversational():
    reward = assay.trl.reward("math")
    assert reward.__name__ == "math"
    assert reward(prompts=["2+2?"] * 3, completions=["4", "5", "x"], completion_ids=[[1], [2], [3]], answer=["4", "4", "4"],
                  trainer_state=object(), log_extra=print, log_metric=print) == [1.0, 0.0, 0.0]
    said = [[{"role": "assistant", "content": text}] for text in ("The answer is \\boxed{4}.", "5")]
    assert reward(prompts=[CHAT, CHAT], completions=said, completion_ids=[[1], [2]], solution=["$4$", "$4$"]) == [1.0, 0.0]


def test_trl_columns_that_are_arrays():
    numpy = pytest.importorskip("numpy")
    call = {"prompts": ["q"] * 2, "completions": ["4", "5"], "completion_ids": [[], []], "answer": numpy.array([4, 4])}
    assert assay.trl.reward("math")(**call) == [1.0, 0.0]


def test_trl_none_is_not_scored_and_is_logged():
    metrics, extras = {}, {}
    reward = assay.trl.reward("math", log=True, mode="completion")
    rewards = reward(prompts=["a", "b"], completions=["4", "4"], completion_ids=[[], []], answer=["4", None],
                     log_metric=metrics.__setitem__, log_extra=extras.__setitem__)
    assert rewards == [1.0, None]
    assert metrics == {"math/not_scored": 0.5} and extras["math_reason"][0] == "" and extras["math_reason"][1]


def test_trl_pickles_and_keeps_terms_apart():
    rubric = assay.math() + 0.25 * assay.format()
    whole = pickle.loads(pickle.dumps(assay.trl.reward(rubric, name="both")))
    parts, weights = assay.trl.rewards(rubric), assay.trl.weights(rubric)
    assert [part.__name__ for part in parts] == ["math", "format"] and weights == [1.0, 0.25]
    call = {"prompts": ["q"] * 2, "completions": ["<think>x</think>4", "4"], "completion_ids": [[], []], "answer": ["4", "5"]}
    summed = [sum(w * r for w, r in zip(weights, row, strict=True)) for row in zip(*(part(**call) for part in parts), strict=True)]
    assert whole.__name__ == "both" and whole(**call) == summed == [1.25, 0.0]


def test_trl_group_relative_terms_see_the_group():
    rubric = assay.math() + assay.math().relative("shortest")
    rewards = assay.trl.reward(rubric)(prompts=["q", "q", "r"], completions=["4", "is 4", "4"], completion_ids=[[], [], []], answer=["4"] * 3)
    assert rewards == [2.0, 1.25, 2.0]


def test_trl_shims():
    said = [[{"content": "<think>\na\n</think>\n\\boxed{\\frac{63}{400}}"}], [{"content": "\\boxed{\\frac{64}{400}}"}]]
    assert assay.trl.accuracy_reward(said, solution=["\\frac{63}{400}"] * 2) == [1.0, 0.0]
    assert assay.trl.think_format_reward(said) == [1.0, 0.0]
    # A solution is read as a text: its anchor, its box, or all of it.
    solutions = ["Half of 8 is 4. The answer is $\\frac{63}{400}$.", "So \\boxed{0.16}.", "", "63/400"]
    assert assay.trl.accuracy_reward([said[0], said[1], said[0], said[0]], solution=solutions) == [1.0, 1.0, None, 1.0]


def test_math_verify_shims():
    from assay.math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify

    assert verify(parse("$\\frac{1}{2}$"), parse("so it is 0.5"))
    assert not verify(parse("$\\frac{1}{2}$"), parse("so it is 0.6"))
    assert verify(parse("$28\\%$"), parse("28 percent"))  # what stands around a formula belongs to it
    assert parse("Nothing.", [LatexExtractionConfig()]) == [] and not verify(parse("3"), [])
    assert parse("The answer is B.", [StringExtractionConfig()]) == ["b", "B"] and parse("None of it", [StringExtractionConfig()]) == []
    assert verify("1/3", 1 / 3, float_rounding=6) and not verify("1/3", 0.3, float_rounding=6) and verify([1, 2], "2")
    assert verify(parse("$f(x)$"), parse("$f(y)$"), strict=False) and not verify(parse("$f(x)$"), parse("$f(y)$"))
    assert pickle.loads(pickle.dumps(parse("x = 3", [ExprExtractionConfig()])))[0].source == "x = 3"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda text: verify(parse("3"), parse(text)), ["3", "4"])) == [True, False]


def test_math_metric():
    from assay.math_verify import ExprExtractionConfig, LatexExtractionConfig, math_metric

    metric = math_metric((LatexExtractionConfig(),), (ExprExtractionConfig(), LatexExtractionConfig()))
    assert metric(["\\boxed{\\frac{1}{2}}"], ["So it is $0.5$.", "3"]) == (1.0, (["\\frac{1}{2}"], ["0.5", "3"]))
    assert metric(["$1$", "$2$"], ["2"])[0] == 1.0 and metric(["$1$"], ["2"])[0] == 0.0 and metric(["$1$"], ["no answer"])[0] == 0.0
    assert math_metric(aggregation_function=lambda scores: sum(scores) / len(scores))(["1"], ["1", "2"])[0] == 0.5
    with pytest.raises(ValueError, match="no answer"):
        metric(["nothing"], ["1"])


# --- verl.


def test_verl():
    one = assay.verl.compute_score("openai/gsm8k", "so #### 72<|im_end|>", "72", extra_info={"index": 0}, reward_router_address=None)
    assert one["score"] == 1.0 and one["scored"] == 1.0 and one["acc"] == 1.0
    code = assay.verl.compute_score("codecontests", PROGRAM, TESTS)
    assert code["score"] == 1.0
    bad = assay.verl.compute_score("codecontests", PROGRAM, "{}")
    assert bad["score"] == 0.0 and bad["scored"] == 0.0 and bad["reason"] and set(bad) == set(one)
    assert asyncio.run(assay.verl.compute_score_async("math", "\\boxed{3}", "3"))["score"] == 1.0
    batch = assay.verl.compute_score_batch(["math", "taco"], ["4", PROGRAM], ["4", TESTS], [None, {"index": 1}], rubric=None)
    assert [row["score"] for row in batch] == [1.0, 1.0]
    with_rubric = assay.verl.compute_score("x", "<think>a</think>3", "3", rubric="math,format")
    assert with_rubric["score"] == 2.0


def test_verl_reads_a_rubric_anew_that_was_written_anew(tmp_path):
    path = tmp_path / "r.toml"
    for weight, at in ((0.5, 1), (2, 2)):
        path.write_text(f'[[term]]\nverifier = "math"\nweight = {weight}\nwhen = {{ "extra_info.split" = "train" }}\n')
        os.utime(path, (at, at))
        assert assay.verl.compute_score("x", "3", "3", {"split": "train"}, rubric=str(path))["score"] == weight
        assert assay.verl.compute_score("x", "3", "3", {"split": "test"}, rubric=str(path))["scored"] == 0.0


# --- OpenRLHF.


def test_openrlhf():
    call = assay.openrlhf.make()
    queries = ["<|im_start|>2+2?<|im_end|>It is 4.<|im_end|>", "<|im_start|>2+2?<|im_end|>It is 5.</s>", "q" + PROGRAM]
    prompts = ["<|im_start|>2+2?<|im_end|>", "<|im_start|>2+2?<|im_end|>", "q"]
    labels = ["4", "4", json.dumps({"verification_info": {"test_cases": [{"type": "stdin_stdout", "input": "1", "output": "2"}]}})]
    assert call.rewards(queries, prompts, labels) == [1.0, 0.0, 1.0]
    pytest.importorskip("torch")
    out = call(queries=queries, prompts=prompts, labels=labels)
    assert out["rewards"].tolist() == [1.0, 0.0, 1.0] and set(out) == {"rewards", "scores", "extra_logs"}


# --- open-instruct.


def test_open_instruct_labels():
    assert assay.open_instruct.score_one("The answer is 7", "7") == 1.0
    assert assay.open_instruct.score_one("def f(): return 1", json.dumps(["assert f() == 1"])) == 1.0
    assert assay.open_instruct.score_one(PROGRAM, [{"input": "1", "output": "2"}]) == 1.0
    assert assay.open_instruct.score_one(PROGRAM, {"nothing": 1}) is None


# --- Prime's verifiers.


def test_prime_trace():
    class Trace:
        last_reply = "It is \\boxed{4}."

    assert asyncio.run(assay.prime.score_trace(Trace(), {"answer": "4"})) == 1.0
    assert asyncio.run(assay.prime.score_trace(Trace(), {"answer": "5"})) == 0.0
    with pytest.raises(assay.AssayError):
        asyncio.run(assay.prime.score_trace(Trace(), {}))


# --- NeMo Gym.


def response(text, thought=""):
    output = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": thought}]}] if thought else []
    return {"output": [*output, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}]}


def test_nemo_gym():
    body = {"responses_create_params": {"input": CHAT}, "response": response("4", "2+2"), "expected_answer": "4", "id": 3}
    out = assay.nemo_gym.verify(body, assay.math() + assay.format())
    assert out["reward"] == 2.0 and not out["mask_sample"] and out["id"] == 3 and out["response"] == body["response"]
    unknown = assay.nemo_gym.verify({"responses_create_params": {"input": "q"}, "response": response("4")})
    assert unknown["reward"] == 0.0 and unknown["mask_sample"] and unknown["failure_reason"]


# --- Ray Data: numpy columns that may be read-only views.


def test_ray_batches():
    numpy = pytest.importorskip("numpy")
    batch = {"completion": numpy.array(["3", "4", "x"], dtype=object), "answer": numpy.array(["3", "3", None], dtype=object)}
    batch["completion"].flags.writeable = False
    out = assay.ray.Scorer("math")(batch)
    assert out["reward"][:2].tolist() == [1.0, 0.0] and numpy.isnan(out["reward"][2]) and out["reward_reason"][2]
    groups = numpy.empty(2, dtype=object)
    groups[0], groups[1] = numpy.array(["3", "4"], dtype=object), numpy.array(["3"], dtype=object)
    out = assay.ray.Scorer(rubric="math")({"completions": groups, "answer": numpy.array(["3", "3"], dtype=object)})
    assert list(out["reward"][0]) == [1.0, 0.0] and list(out["reward"][1]) == [1.0]
    assert out["advantage"][0][0] > 0
    assert json.loads(out["reward_details"][0])["verdicts"][1]["math"]["outcome"] == "fail"
    assert "reward_details" not in assay.ray.Scorer("math", details=False)(batch)


# --- slime: one sample a call, or a list of them.


def test_slime():
    class Sample:
        prompt = "2+2?"

        def __init__(self, response, label, metadata=None):
            self.response, self.label, self.metadata = response, label, metadata

    assert asyncio.run(assay.slime.reward(None, Sample("It is \\boxed{4}.", "4"))) == 1.0
    tests = {"test_cases": [{"type": "stdin_stdout", "input": "1", "output": "2"}]}
    group = [Sample("\\boxed{5}", "4"), Sample(PROGRAM, None, {"verification_info": tests}), Sample("4", None), Sample(None, "4")]
    assert asyncio.run(assay.slime.reward(None, group, evaluation=False)) == [0.0, 1.0, 0.0, 0.0]


# --- The spellings that trainers' configurations have: a file by its path, the module by the peer's name.


def test_adapters_load_by_path():
    for name, call in (("verl", "compute_score"), ("openrlhf", "reward_func")):
        path = pathlib.Path(assay.__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location("custom_module", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert callable(getattr(module, call))
    assert module.reward_func.rewards(["q 4", None], ["q ", None], ["4", None]) == [1.0, None]


def test_verifiers_is_a_list_and_a_module():
    listed = [info.name for info in assay.verifiers()]
    module = importlib.import_module("assay.verifiers")
    assert module is assay.verifiers and [info.name for info in module()] == listed and callable(assay.verifiers.rubric)
