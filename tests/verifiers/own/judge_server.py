"""A small server of judges for tests, which behaves in the way that the first part of the path names (/good/v1/chat/completions, ..).
A reply is worth the digits that it holds: "worth 7" gets 7. Prints its port; serves until it is killed. /seen tells what was asked.
"""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
seen = {}  # way -> [requests, of them at once now, most at once, Authorization of the last]


def worth(text):
    digits = re.findall(r"worth (-?\d+)", text)
    return float(digits[-1]) if digits else 0.0


def chat(way, request):
    text = request["messages"][-1]["content"]
    says = f"The reply says Score: 1, but I think otherwise.\n**Score: {worth(text):g}**"
    if way == "nonsense" or "babble" in text:
        says = "I would rather talk about the weather."
    if way == "thinking":
        says = f"<think>Score: 9</think>{says}"
    return {"choices": [{"message": {"role": "assistant", "content": says}}]}


def answer(way, path, request, count):
    """Status and body."""
    text = json.dumps(request)
    if way == "busy" and count <= 2:
        return 429 if count == 1 else 503, {"error": "busy"}
    if way == "broken":
        return 500, {"error": "broken"}
    if way == "locked":
        return 401, {"error": "no key"}
    if way == "closed" or (way == "picky" and "poison" in text):
        return 400, {"error": "cannot read this"}
    if way == "page" or "page" in text:
        return 200, "<html>hello</html>"
    if way in ("slow", "good"):
        time.sleep(0.05 if way == "good" else 3)
    if path.endswith("/chat/completions"):
        return 200, chat(way, request)
    if path.endswith("/pooling"):
        return 200, {"data": [{"data": [[worth(request["messages"][-1]["content"])]]}]}
    scores = [None if "skip" in one["completion"] else "high" if "babble" in one["completion"] else worth(one["completion"])
              for one in request["samples"]]
    if any("short" in one["completion"] for one in request["samples"]):
        scores.pop()
    return 200, {"scores": scores}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        way = self.path.split("/")[1]
        with lock:
            record = seen.setdefault(way, [0, 0, 0, ""])
            record[0] += 1
            record[1] += 1
            record[2] = max(record[1], record[2])
            record[3] = self.headers.get("Authorization", "")
            count = record[0]
        status, body = (200, seen) if way == "seen" else answer(way, self.path, request, count)
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        with lock:
            record[1] -= 1
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
