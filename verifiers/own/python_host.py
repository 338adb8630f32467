"""Runs a reward function of the user's for Assay, in the user's own interpreter (or, said so, in a box).

Started as a process that answers frames on descriptor 3 (host.h says how they look). The first frame says what to load:
{"file", "module", "function", "form", "chat", "timeout_s"}. Every other frame is a batch of samples (sample_json.h), answered as
host_judge.h says. In a box, `in_box` below is called instead and nothing is listened to.
"""

import asyncio
import importlib
import importlib.util
import inspect
import json
import math
import mmap
import os
import signal
import struct
import sys
import threading
import time
import traceback

ANSWER_NAMES = ("solution", "ground_truth", "gold", "target", "label", "reference", "expected_answer")
REPLY_NAMES = ("completion", "response", "reply", "output", "text", "prediction", "solution_str")
USUAL_NAMES = ("compute_score", "score_answer", "reward", "reward_func", "reward_fn", "reward_function", "compute_reward", "get_score_answer_fn")


class Expired(BaseException):
    """The call took too long. Not an Exception: a function that catches those must not go on."""


class CannotLoad(Exception):
    pass


class BadValue(Exception):
    pass


# ---------------------------------------------------------------------------------------------------------------- loading


def load_module(config):
    if config.get("module"):
        sys.path.insert(0, os.getcwd())
        return importlib.import_module(config["module"])
    path = os.path.abspath(config["file"])
    if not os.path.isfile(path):
        raise CannotLoad(f"there is no file '{config['file']}'")
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.modules or name in sys.stdlib_module_names:
        name = f"reward_file_{name}"  # a file called json.py must not stand in for json
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise CannotLoad(f"'{config['file']}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def find_function(module, name):
    if name:
        found = module
        for part in name.split("."):
            if not hasattr(found, part):
                raise CannotLoad(f"there is no '{name}' in it")
            found = getattr(found, part)
        if not callable(found):
            raise CannotLoad(f"'{name}' cannot be called")
        return name, found
    for usual in USUAL_NAMES:
        if callable(getattr(module, usual, None)):
            return usual, getattr(module, usual)
    own = [(key, value) for key, value in vars(module).items()
           if inspect.isfunction(value) and not key.startswith("_") and value.__module__ == module.__name__]
    known = [(key, value) for key, value in own if recognise(value) is not None and len(signature_of(value)[0]) > 1]
    if len(known) == 1:
        return known[0]
    if len(own) == 1:
        return own[0]
    listed = ", ".join(key for key, _ in own) or "none"
    raise CannotLoad(f"which function? (function = \"..\"; there are: {listed})")


def signature_of(function):
    """Its parameters by name, and whether it takes any other keyword."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}, True
    named = {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    return named, any(p.kind == p.VAR_KEYWORD for p in parameters)


def recognise(function):
    named, others = signature_of(function)
    if "solution_strs" in named:
        return "verl_batch"
    if "solution_str" in named:
        return "verl"
    if "completions" in named:
        return "trl"
    if "answer" in named and "entry" in named:
        return "reasoning_gym"
    if any(name in named for name in REPLY_NAMES):
        return "one"
    if "prompts" in named and others:
        return "trl"
    required = [p for p in named.values() if p.default is p.empty]
    return "one" if len(required) == 1 else None


def load(config):
    """The function, as something that takes a request and gives its answer."""
    try:
        module = load_module(config)
        name, function = find_function(module, config.get("function"))
    except CannotLoad as error:
        return None, {"error": f"{where(config)}: {error}"}
    except (Exception, SystemExit):  # whatever a user's file may raise while it is imported
        return None, {"error": f"{where(config)} cannot be imported: {last_line()}", "hint": shortened(traceback.format_exc())}
    form = config.get("form") or "auto"
    if form == "auto":
        form = "reasoning_gym" if name == "get_score_answer_fn" else recognise(function)
        if form is None:
            return None, {"error": f"{where(config)}: what '{name}' takes is of no known form",
                          "hint": "say which: form = \"trl\", \"one\", \"verl\", \"verl_batch\" or \"reasoning_gym\""}
    scorer = Scorer(function, name, form, config)
    return scorer, {"ok": {"function": name, "form": form, "wants_ids": "completion_ids" in scorer.named}}


def where(config):
    return f"'{config.get('module') or config.get('file')}'"


def shortened(text):
    return text if len(text) <= 4000 else text[:1000] + "\n[..]\n" + text[-3000:]


def last_line():
    kind, value, _ = sys.exc_info()
    return "".join(traceback.format_exception_only(kind, value)).strip()[-400:]


def own_traceback():
    """Without the frames of this file."""
    kind, value, trace = sys.exc_info()
    while trace is not None and trace.tb_frame.f_code.co_filename == serve.__code__.co_filename:
        trace = trace.tb_next
    return shortened("".join(traceback.format_exception(kind, value, trace)))


# ---------------------------------------------------------------------------------------------------------------- scoring


def number_of(value):
    """A score, or None; anything that is not plainly a number is a bad value."""
    if value is None or type(value) is float or type(value) is int:
        pass
    elif isinstance(value, (str, bytes, bytearray)):
        raise BadValue(f"it gave a string: {value[:80]!r}")
    elif inspect.isawaitable(value):
        raise BadValue("it gave something to be awaited: say async def")
    if value is None:
        return None
    try:
        score = float(value)
    except Exception:
        raise BadValue(f"it gave {type(value).__name__}, which is no number") from None
    if not math.isfinite(score):
        raise BadValue(f"it gave {score}")
    return score


def result_of(value):
    """What one sample's value becomes in the answer."""
    try:
        if isinstance(value, dict):
            if "score" not in value:
                raise BadValue("it gave a dict without 'score'")
            score = number_of(value["score"])
            rest = {str(key): plain(item) for key, item in value.items() if key != "score"}
            return score if score is None or not rest else {"score": score, "evidence": rest}
        return number_of(value)
    except BadValue as error:
        return {"error": "reward_bad_value", "detail": str(error)}


def plain(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    try:
        number = float(value)
        return number if math.isfinite(number) else str(number)
    except Exception:
        return str(value)[:200]


def chat_wanted(problem, chat):
    return chat == "always" or (chat != "never" and "messages" in problem)


class Row:
    """What a function may ask of one sample."""

    def __init__(self, problem, sample, chat):
        self.problem, self.sample = problem, sample
        self.text = sample["text"]
        as_chat = chat_wanted(problem, chat)
        self.prompt = problem.get("messages") or problem["prompt"] if as_chat else problem["prompt"]
        if as_chat and isinstance(self.prompt, str):
            self.prompt = [{"role": "user", "content": self.prompt}]
        self.completion = [{"role": "assistant", "content": self.text}] if as_chat else self.text

    def column(self, name):
        if name in self.problem:
            return self.problem[name]
        if name == "completion_ids":
            return self.sample.get("ids") or None
        if name in ("finish_reason", "model"):
            return self.sample.get(name)
        return self.problem.get("answer") if name in ANSWER_NAMES else None

    def ground_truth(self):
        for holder in (self.problem.get("reward_model"), self.problem, self.problem.get("extra_info")):
            if isinstance(holder, dict) and holder.get("ground_truth") is not None:
                return holder["ground_truth"]
        return self.problem.get("answer", self.problem.get("verification_info"))

    def data_source(self):
        return self.problem.get("data_source") or self.problem.get("task")

    def entry(self):
        """A reasoning-gym entry."""
        info = self.problem.get("metadata", self.problem.get("verification_info", {}))
        question = self.problem.get("question") or self.problem["prompt"]
        return {**self.problem, "question": question, "answer": self.problem.get("answer"), "metadata": info}


class Scorer:
    def __init__(self, function, name, form, config):
        self.function, self.form = function, form
        self.named, self.others = signature_of(function)
        self.chat = config.get("chat") or "auto"
        self.limit = float(config.get("timeout_s") or 0)
        self.asynchronous = inspect.iscoroutinefunction(function)
        self.per_entry = name == "get_score_answer_fn"
        self.scorers = {}

    def call(self, *positional, **keywords):
        """The function, within its time."""
        if self.limit > 0:
            signal.signal(signal.SIGALRM, expire)
            signal.setitimer(signal.ITIMER_REAL, self.limit, 1.0)
        try:
            value = self.function(*positional, **keywords)
            return asyncio.run(value) if self.asynchronous else value
        finally:
            if self.limit > 0:
                signal.setitimer(signal.ITIMER_REAL, 0)

    def answer(self, request, at_work_on=lambda place: None):
        problems = request["problems"]
        rows = [Row(problems[sample["problem"]], sample, self.chat) for sample in request["samples"]]
        if self.form in ("trl", "verl_batch"):
            return self.batch(rows)
        results = []
        for place, row in enumerate(rows, 1):
            at_work_on(place)
            results.append(self.one(row))
        at_work_on(0)
        return {"results": results}

    def batch(self, rows):
        try:
            values = self.call(**(self.trl_arguments(rows) if self.form == "trl" else self.verl_batch_arguments(rows)))
        except Expired:
            return {"failed": self.expired()}
        except (Exception, SystemExit, KeyboardInterrupt):
            return {"failed": {"reason": "reward_raised", "detail": last_line(), "traceback": own_traceback()}}
        try:
            if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__len__"):
                raise BadValue(f"it gave {type(values).__name__}, not a list of scores")
            values = list(values)
        except BadValue as error:
            return {"failed": {"reason": "reward_bad_value", "detail": str(error)}}
        if len(values) != len(rows):
            return {"failed": {"reason": "reward_bad_length", "detail": f"{len(values)} scores for {len(rows)} samples"}}
        return {"results": [result_of(value) for value in values]}

    def expired(self):
        return {"reason": "reward_timeout", "detail": f"a call took longer than {self.limit:g} s"}

    def one(self, row):
        try:
            return result_of(self.one_value(row))
        except Expired:
            expired = self.expired()
            return {"error": expired["reason"], "detail": expired["detail"]}
        except (Exception, SystemExit, KeyboardInterrupt):
            return {"error": "reward_raised", "detail": last_line(), "traceback": own_traceback()}

    def one_value(self, row):
        if self.form == "verl":
            values = {"data_source": row.data_source(), "ground_truth": row.ground_truth(), "extra_info": row.problem.get("extra_info")}
            required = {"solution_str", "ground_truth"} if self.others else set()
            accepted = {key: value for key, value in values.items() if key in self.named or self.others and key in required}
            return self.call(solution_str=row.text, **accepted, **self.columns_of(row, {*accepted, "solution_str"}))
        if self.form == "reasoning_gym":
            return self.reasoning_gym(row)
        values = {"prompt": row.prompt, **{name: row.completion for name in REPLY_NAMES}}
        accepted = {key: value for key, value in values.items() if key in self.named}
        if not any(name in accepted for name in REPLY_NAMES):
            first = [name for name in self.named if name not in accepted][:1]
            accepted.update({name: row.completion for name in first})
        return self.call(**accepted, **self.columns_of(row, accepted))

    def reasoning_gym(self, row):
        answer, entry = row.sample.get("answer", row.text), row.entry()
        if not self.per_entry:
            return self.call(answer, entry)
        source = (entry["metadata"] or {}).get("source_dataset")
        if source not in self.scorers:
            self.scorers[source] = self.function(source)
        return self.scorers[source](answer, entry)

    def columns_of(self, row, taken):
        """The row's columns that the function names, or all where it takes any."""
        names = [name for name in self.named if name not in taken]
        if self.others and self.form == "one":
            names += [name for name in row.problem if name not in taken and name not in names and name != "messages"]
        out = {}
        for name in names:
            value = row.column(name)
            if value is not None or self.named.get(name) is None or self.named[name].default is inspect.Parameter.empty:
                out[name] = value
        return out

    def trl_arguments(self, rows):
        out = {}
        for name, values in (("prompts", lambda: [row.prompt for row in rows]), ("completions", lambda: [row.completion for row in rows])):
            if name in self.named or self.others:
                out[name] = values()
        names = [name for name in self.named if name not in out]
        if self.others:
            names += [name for name in ("completion_ids",) if rows and rows[0].sample.get("ids")]
            for row in rows[:1] + [row for row, before in zip(rows[1:], rows) if row.problem is not before.problem]:
                names += [name for name in row.problem if name not in ("prompt", "messages")]
            names += [name for name in ANSWER_NAMES if rows and rows[0].column(name) is not None]
        for name in dict.fromkeys(names):
            if name == "trainer_state":
                out[name] = None
            elif name in ("log_extra", "log_metric"):
                out[name] = lambda *_, **__: None
            elif name not in out:
                values = [row.column(name) for row in rows]
                parameter = self.named.get(name)
                optional = parameter is not None and parameter.default is not parameter.empty
                if not optional or any(value is not None for value in values):
                    out[name] = values
        return out

    def verl_batch_arguments(self, rows):
        out = {"data_sources": [row.data_source() for row in rows], "solution_strs": [row.text for row in rows],
               "ground_truths": [row.ground_truth() for row in rows], "extra_infos": [row.problem.get("extra_info") for row in rows]}
        return {key: value for key, value in out.items() if key in self.named}


def expire(_signal, _frame):
    raise Expired()


# ---------------------------------------------------------------------------------------------------------------- doors


def read_exactly(stream, count):
    data = stream.read(count)
    if data is None or len(data) < count:
        os._exit(0)  # nobody asks any more; threads of the function must not keep us
    return data


def end_with(parent):
    """Nobody else ends a function that hangs when whoever asked is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def serve():
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    os.set_inheritable(3, False)
    os.set_inheritable(4, False)
    incoming, outgoing = os.fdopen(3, "rb", closefd=False), os.fdopen(os.dup(3), "wb")
    progress = mmap.mmap(4, 8)

    def at_work_on(place):
        progress[:8] = struct.pack("<Q", place)

    scorer = None
    while True:
        request = json.loads(read_exactly(incoming, struct.unpack("<I", read_exactly(incoming, 4))[0]))
        if scorer is None:
            scorer, answer = load(request)
        else:
            answer = scorer.answer(request, at_work_on)
        data = json.dumps(answer, allow_nan=False).encode()
        outgoing.write(struct.pack("<I", len(data)) + data)
        outgoing.flush()


def in_box():
    """config.json and request.json beside us in; the answer is the last line of standard output."""
    answer_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with open("config.json", encoding="utf-8") as file:
        scorer, answer = load(json.load(file))
    with open("request.json", encoding="utf-8") as file:
        request = json.load(file)
    if scorer is not None and request["samples"]:
        answer = scorer.answer(request)
    answer_to.write("\n" + json.dumps(answer, allow_nan=False) + "\n")
    answer_to.flush()


if __name__ == "__main__":
    in_box() if os.path.exists("request.json") and os.path.exists("config.json") and "--box" in sys.argv else serve()
