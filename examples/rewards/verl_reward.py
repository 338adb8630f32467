"""A reward function as verl takes it (`custom_reward_function.path=verl_reward.py`)."""

import re


def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    if data_source != "openai/gsm8k":
        raise NotImplementedError(data_source)
    found = re.search(r"#### (-?[0-9.,]+)", solution_str)
    if found is None:
        return {"score": 0.0, "found": False}
    right = found.group(1).replace(",", "").rstrip(".") == ground_truth
    return {"score": 1.0 if right else 0.1, "found": True, "split": (extra_info or {}).get("split")}
