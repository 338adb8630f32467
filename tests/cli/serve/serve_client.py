"""What the server's tests share: a server started for a test, and its cases compared with what it answers. Standard library only."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading


class Server:
    """`assay serve` on a free port. Use as a context manager; `stop()` gives the exit code."""

    def __init__(self, *args, env=None, jobs=2):
        build = os.environ.get("ASSAY_BUILD_DIR", "build")
        command = [os.path.join(build, "assay"), "serve", "--listen", "127.0.0.1:0", "-j", str(jobs), *args]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            found = re.search(r"listening on http://\S+:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True).start()
                return
        raise RuntimeError("the server did not start: " + "".join(self.lines))

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers, bytes) on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def post(self, path, body, **more):
        status, _, text = self.ask("POST", path, json.dumps(body), {"Content-Type": "application/json"}, **more)
        return status, json.loads(text)


def differences(want, got, at="answer"):
    """Where `got` lacks what `want` says. Objects may say more; {"$above": 0} and the like ask for a property."""
    if isinstance(want, dict) and len(want) == 1 and next(iter(want)).startswith("$"):
        (name, value), = want.items()
        holds = {
            "$any": lambda: True,
            "$above": lambda: got > value,
            "$below": lambda: got < value,
            "$not": lambda: got != value,
            "$regex": lambda: re.search(value, got) is not None,
            "$length": lambda: len(got) == value,
            "$contains": lambda: any(not differences(value, item) for item in got),
        }[name]
        try:
            return [] if holds() else [f"{at}: {str(got)[:300]!r} is not {want}"]
        except TypeError:
            return [f"{at}: {str(got)[:300]!r} is not {want}"]
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return [f"{at}: {str(got)[:300]!r} is no object"]
        found = []
        for key, value in want.items():
            if value == {"$absent": True}:
                found += [f"{at}.{key}: is there"] if key in got else []
            elif key not in got:
                found.append(f"{at}.{key}: is missing")
            else:
                found += differences(value, got[key], f"{at}.{key}")
        return found
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return [f"{at}: {str(got)[:300]!r} is no list of {len(want)}"]
        return [line for i, (a, b) in enumerate(zip(want, got)) for line in differences(a, b, f"{at}[{i}]")]
    same = type(want) is type(got) and want == got
    return [] if same else [f"{at}: {str(got)[:300]!r} is not {str(want)[:300]!r}"]


def case_differences(server, case):
    """One line of tests/cases/serve.jsonl."""
    method = "GET" if "get" in case else "POST"
    headers = case.get("headers", {"Content-Type": "application/json"} if method == "POST" else {})
    body = case["raw"] if "raw" in case else json.dumps(case["body"]) if "body" in case else None
    status, _, answer = server.ask(method, case.get("get") or case["post"], body, headers)
    text = answer.decode()
    if status != case.get("status", 200):
        return [f"status {status}: {text[:500]}"]
    if "text" in case:
        return [] if case["text"] in text else [f"does not say {case['text']!r}: {text[:200]}"]
    if "ndjson" in case:
        return differences(case["ndjson"], [json.loads(line) for line in text.splitlines()])
    if "json" not in case:
        return []
    got = json.loads(text)
    if case.get("any_order"):
        got["detail"] = [next((item for item in got["detail"] if not differences(want, item)), None)
                         for want in case["json"]["detail"]] if len(got["detail"]) == len(case["json"]["detail"]) else got["detail"]
    return differences(case["json"], got)
