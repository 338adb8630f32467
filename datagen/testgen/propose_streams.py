"""Tests of whole programs out of replies, and inputs to try: run in a box, since replies are anybody's text. JSON on standard input:

  prompt   the problem's prompt
  replies  texts that hold tests: JSON with inputs and outputs, or texts under headings that say Input and Output
  inputs   how many inputs to make up (0: none)

and JSON on standard output: {"tests": [{"input", "output", "reply"}], "dropped": {reason: count}, "calls": [input]}. The prompt's own
examples are reply -1. The same input gives the same output.
"""
import json
import re
import sys

MOST_BYTES = 20000  # of a test's input, and of its output
MOST_TESTS = 150
MOST_TOKENS = 40  # of an example that are varied
INPUTS, OUTPUTS = ("input", "stdin", "inputs"), ("output", "stdout", "expected_output", "expected", "outputs")

# "### Sample Input 2:", "-----Example Output-----", "**Input**", "Output: 7"
HEADING = re.compile(r"^[\s#*>`_=-]*(?:(?:sample|example|test|test case|case)\s*(?:\d+|#\d+)?\s*)?[:.\s]*(input|output|stdin|stdout|expected output)s?"
                     r"(?:\s*(?:format|#?\d+))?\s*[*_`]*\s*(?::|-{2,}|[*_`]+|$)\s*(.*)$", re.IGNORECASE)
OTHER_HEADING = re.compile(r"^\s*(?:#{1,6}\s|\*\*|-{3,})|^\s*(?:note|explanation|constraints|scoring|hint|examples?|sample|test(?: case)?)\b[^.!?]{0,20}:?\s*$",
                           re.IGNORECASE)
FENCE = re.compile(r"^\s*(?:```|~~~)\w*\s*$")


def text_of(value):
    """A stream's text: lists are lines."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def pairs_of_json(value):
    """(input, output) of every object that has both, wherever it stands in the value."""
    if isinstance(value, list):
        for item in value:
            yield from pairs_of_json(item)
    elif isinstance(value, dict):
        lower = {str(key).lower(): item for key, item in value.items()}
        given = next((lower[key] for key in INPUTS if key in lower), None)
        wanted = next((lower[key] for key in OUTPUTS if key in lower), None)
        if given is not None and wanted is not None:
            many = "inputs" in lower and "outputs" in lower and isinstance(given, list) and isinstance(wanted, list)
            yield from zip(map(text_of, given), map(text_of, wanted)) if many else [(text_of(given), text_of(wanted))]
        else:
            for item in value.values():
                yield from pairs_of_json(item)


def json_values(text):
    """Every JSON array or object of a text, fences or prose around them."""
    decoder = json.JSONDecoder()
    at = 0
    while True:
        found = re.compile(r"[\[{]").search(text, at)
        if not found:
            return
        try:
            value, at = decoder.raw_decode(text, found.start())
            yield value
        except (ValueError, RecursionError):
            at = found.end()


def sections(text):
    """("input" or "output", text) in the order in which headings say so."""
    found, fenced = [], None
    for line in text.splitlines():
        if FENCE.match(line):
            # A second block under one heading is not the stream's.
            if found and found[-1][2] == "open":
                found[-1][2] = "fence"
            elif found and found[-1][2] in ("fence", "inline"):
                found[-1][2] = "closed"
            fenced = not fenced
            continue
        heading = None if fenced else HEADING.match(line)
        if heading:
            kind = "input" if heading[1].lower() in ("input", "stdin") else "output"
            rest = heading[2].strip(" \t*_`")
            found.append([kind, [rest] if rest else [], "inline" if rest else "open"])
        elif found and found[-1][2] != "closed":
            if not fenced and OTHER_HEADING.match(line):
                found[-1][2] = "closed"
            elif found[-1][2] == "inline" and not line.strip():
                found[-1][2] = "closed"
            else:
                found[-1][1].append(line)
    return [(kind, "\n".join(lines).strip("\n").rstrip()) for kind, lines, _ in found]


def looks_like_data(text):
    """Streams of examples, not a description of what they hold: few words of prose."""
    words = re.findall(r"[A-Za-z]{2,}", text)
    return bool(text.strip()) and not (len(words) > 8 and len(re.findall(r"[.;,]\s", text)) >= 1)


def pairs_of_headings(text):
    before = None
    for kind, body in sections(text):
        if kind == "output" and before is not None and looks_like_data(before) and looks_like_data(body):
            yield before, body
        before = body if kind == "input" else None


def tests_of(reply):
    """(pairs, reasons) of one reply."""
    pairs = [pair for value in json_values(reply) for pair in pairs_of_json(value)] or list(pairs_of_headings(reply))
    kept, reasons = [], []
    for given, wanted in pairs:
        if given is None or wanted is None:
            reasons.append("does_not_parse")
        elif max(len(given), len(wanted)) > MOST_BYTES:
            reasons.append("too_long")
        else:
            kept.append((ended(given), ended(wanted)))
    return kept, reasons if kept or reasons else ["does_not_parse"]


def ended(text):
    return text if not text or text.endswith("\n") else text + "\n"


# ------------------------------------------------------------------------------------------------------------- inputs to try

def is_count(tokens, lines, line, place):
    """Whether a number says how many of something follow: changing it alone would break the input."""
    text = lines[line][place]
    if not re.fullmatch(r"\d+", text):
        return False
    number = int(text)
    rest = [len(words) for words in lines[line + 1:] if words]
    return number > 0 and (number == len(rest) or number in rest or place + 1 < len(lines[line]) and number == len(lines[line]) - place - 1
                           or len(rest) > 0 and number == sum(rest) or rest and len(rest[1:]) and number * 2 == len(rest))


def varied(token):
    if re.fullmatch(r"-?\d+", token):
        number = int(token)
        values = [number + 1, number - 1, number * 2, 1, number + 7, number * 10]
        return [str(v) for v in dict.fromkeys(values) if v != number and (v >= 0 or number < 0)]
    if re.fullmatch(r"-?\d+\.\d+", token):
        return [str(float(token) + 0.5), str(float(token) * 2)]
    return list(dict.fromkeys(t for t in (token[::-1], token + token, token[:1], token.swapcase(), token[1:]) if t and t != token))


def joined(lines):
    return "\n".join(" ".join(words) for words in lines) + "\n"


def made_up(examples, wanted):
    """Neighbours of the examples' inputs: one token changed, a line's words in another order; numbers that count what follows stay."""
    columns = []
    for example in examples:
        lines = [line.split() for line in example.rstrip("\n").split("\n")]
        tokens = [(i, j) for i, words in enumerate(lines) for j in range(len(words))]
        for i, j in tokens[:MOST_TOKENS]:
            if is_count(tokens, lines, i, j):
                continue
            changes = []
            for change in varied(lines[i][j]):
                copy = [list(words) for words in lines]
                copy[i][j] = change
                changes.append(joined(copy))
            columns.append(changes)
        for i, words in enumerate(lines):
            orders = [words[::-1], sorted(words), [words[0]] * len(words)] if len(words) > 2 else []
            columns.append([joined([*lines[:i], order, *lines[i + 1:]]) for order in orders])
    # The first change of each place, then the second ..
    calls = [column[turn] for turn in range(max(map(len, columns), default=0)) for column in columns if turn < len(column)]
    calls = [call for call in dict.fromkeys(calls) if call not in examples and len(call) <= MOST_BYTES]
    return calls[:wanted]


def main():
    asked = json.load(sys.stdin)
    shown = list(pairs_of_headings(asked["prompt"]))
    shown = [(ended(given), ended(wanted)) for given, wanted in shown]
    dropped, tests, seen = {}, [], set()
    sources = [(-1, shown, [])] + [(i, *tests_of(reply)) for i, reply in enumerate(asked["replies"])]
    for number, found, reasons in sources:
        for given, wanted in found:
            reason = "double" if (given, wanted) in seen else "too_many" if len(tests) >= MOST_TESTS else ""
            if reason:
                reasons.append(reason)
            else:
                tests.append({"input": given, "output": wanted, "reply": number})
            seen.add((given, wanted))
        for reason in reasons:
            dropped[reason] = dropped.get(reason, 0) + 1
    examples = list(dict.fromkeys([given for given, _ in shown] + [test["input"] for test in tests if test["reply"] >= 0]))[:10]
    calls = made_up(examples, asked["inputs"]) if asked["inputs"] else []
    json.dump({"tests": tests, "dropped": dropped, "calls": calls}, sys.stdout)


if __name__ == "__main__":
    main()
