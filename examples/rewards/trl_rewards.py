"""Two reward functions as TRL's GRPOTrainer takes them (`reward_funcs=[accuracy_reward, format_reward]`)."""

import re


def accuracy_reward(completions, solution, **kwargs):
    """1 where the last number of the reply is the solution."""
    contents = [completion[0]["content"] for completion in completions]
    rewards = []
    for content, expected in zip(contents, solution):
        numbers = re.findall(r"-?\d+", content)
        rewards.append(None if not expected else 1.0 if numbers and numbers[-1] == expected else 0.0)
    return rewards


def format_reward(completions, **kwargs):
    """Reasoning, then an answer."""
    pattern = r"^<think>.*?</think>\s*<answer>.*?</answer>$"
    return [1.0 if re.match(pattern, completion[0]["content"], re.DOTALL) else 0.0 for completion in completions]
