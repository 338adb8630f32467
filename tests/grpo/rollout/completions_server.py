"""A small server of /v1/completions for the trainer's tests: completions of random tokens, in the way that the first part of
the path names (/ok/v1/completions, /busy/v1/completions, ..). Loads weights as vLLM and SGLang do (/ok/collective_rpc, ..): what it
was told goes, a line each, to $ASSAY_TEST_PUSHES if that is set. Prints its port; serves until it is killed.
"""

import hashlib
import json
import math
import os
import pathlib
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = {}  # (way, prompt) -> requests so far
lock = threading.Lock()


def choice(index, request, way, numbers):
    length = numbers.randint(1, request["max_tokens"])
    ids = [numbers.randrange(12) for _ in range(length)]
    if way == "range":
        ids[-1] = 99999
    values = [math.log(1 / 12)] * length
    logprobs = {"tokens": [f"token_id:{i}" for i in ids], "token_logprobs": values}
    result = {"index": index, "text": "".join("0123456789+="[i % 12] for i in ids), "logprobs": logprobs,
              "finish_reason": "length" if length == request["max_tokens"] else "stop"}
    if way == "ids":
        result["token_ids"] = ids
        logprobs["tokens"] = ["x"] * length
    if way == "text":
        logprobs["tokens"] = ["x"] * length
    if way == "nologprobs":
        result["logprobs"] = None
    if way == "uneven":
        values.pop()
    if way == "positive":
        values[0] = 0.5
    if way == "long":
        logprobs["tokens"] = ["token_id:1"] * (request["max_tokens"] + 1)
        logprobs["token_logprobs"] = [-1.0] * (request["max_tokens"] + 1)
    return result


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def load(self, way, path, request):
        """The requests by which servers take new weights."""
        if way == "nodev":
            return self.say(404, b'{"detail":"Not Found"}')
        folder = pathlib.Path(request.get("model_path", ""))
        line = {"path": path, "request": request}
        if "model_path" in request and (folder / "config.json").exists():
            line["weights"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        if "ASSAY_TEST_PUSHES" in os.environ:
            with open(os.environ["ASSAY_TEST_PUSHES"], "a") as log:
                print(json.dumps(line), file=log)
        if path == "/update_weights_from_disk":
            done = way != "unloadable" and "weights" in line
            return self.say(200, json.dumps({"success": done, "message": "shape mismatch"}).encode())
        if path == "/collective_rpc":
            return self.say(200, b'{"results": [null]}')
        return self.say(200, b"")

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        way = self.path.split("/")[1]
        rest = self.path[len(way) + 1:]
        if rest in ("/update_weights_from_disk", "/collective_rpc", "/reset_prefix_cache"):
            return self.load(way, rest, request)
        with lock:
            key = (way, str(request["prompt"]))
            seen[key] = seen.get(key, 0) + 1
            times = seen[key]
        if not self.path.endswith("/v1/completions") or "/v1/v1" in self.path:
            return self.say(404, b"no such path")
        if way == "key" and self.headers.get("Authorization") != "Bearer sesame":
            return self.say(401, b"who are you?")
        if way == "broken" and times <= 2:
            return self.say(500, b"oh")
        if way == "busy" and times == 1:
            return self.say(429, b"later", [("Retry-After", "1")])
        if way == "drop" and times == 1:
            return self.connection.close()
        if way == "refuse":
            return self.say(400, b"I know no n" + b"!" * 5000)
        if way == "down":
            return self.say(503, b"down")
        if way == "hang":
            time.sleep(30)
        if way == "html":
            return self.say(200, b"<html>")
        if way == "huge":
            return self.say(200, b" " * (8 << 20))
        assert request["logprobs"] >= 0 and request["return_tokens_as_token_ids"] is True, request
        numbers = random.Random(request["seed"])
        count = request["n"] - (way == "few")
        body = {"model": request["model"], "choices": [choice(i, request, way, numbers) for i in range(count)]}
        return self.say(200, json.dumps(body).encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hangs up is what some tests do
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1])
sys.stdout.flush()
server.serve_forever()
