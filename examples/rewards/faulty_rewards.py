"""What reward functions do wrong now and then, and what becomes of it: only the samples at fault lose their reward."""

import time


def raises(completions, **kwargs):
    return [1.0 / len(completion) for completion in completions]


def gives_nan(completion):
    return float("nan") if not completion else 1.0


def gives_a_string(completion):
    return "1.0" if not completion else 1.0


def gives_a_short_list(completions, **kwargs):
    return [1.0 for completion in completions if completion]


def hangs(completion):
    while not completion:
        time.sleep(0.01)
    return 1.0
