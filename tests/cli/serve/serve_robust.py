"""What clients do that they should not, and what others see of it: slow ones, cut connections, garbage, floods, tokens, a stop in the
middle. Each check starts a server with the bounds that it is about."""

import concurrent.futures
import json
import os
import signal
import socket
import sys
import threading
import time

from serve_client import Server

JSON = {"Content-Type": "application/json"}
HELLO = {"code": "print(6 * 7)", "language": "python"}
SLEEP = {"code": "import time; time.sleep(3); print('slept')", "language": "python"}


def raw(server, data, wait=5.0):
    """What comes back on a bare connection until it is closed, or `wait` seconds are over."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        connection.sendall(data)
        got = b""
        try:
            while part := connection.recv(65536):
                got += part
        except (TimeoutError, ConnectionResetError):
            pass
        return got


def works(server):
    status, answer = server.post("/run_code", HELLO)
    assert status == 200 and answer["run_result"]["stdout"] == "42\n", (status, answer)


def post_bytes(path, body, extra=b""):
    return (b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + extra +
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


def garbage():
    with Server() as server:
        for data, wanted in [
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200) + b"\r\n\r\n", b"400"),
                (b"hello\r\n\r\n", b"400"),
                (b"GET / HTTP/9.9\r\n\r\n", b"400"),
                (b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", b"400"),
                (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", b"431"),
                (b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
                (b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
                (post_bytes(b"/run_code", b"[" * 100_000), b"422"),
                (post_bytes(b"/v1/score", b'{"rows":' + b"[" * 300 + b"]" * 300 + b"}"), b"422"),
                (post_bytes(b"/run_code", b'{"a":' * 5000 + b"1" + b"}" * 5000), b"422"),
                (post_bytes(b"/run_code", os.urandom(5000)), b"422"),
                (post_bytes(b"/run_code", b""), b"422"),
        ]:
            answer = raw(server, data, wait=1.5)
            assert answer.startswith(b"HTTP/1.1 " + wanted), (data[:60], answer[:200])
            works(server)
        for _ in range(50):
            raw(server, os.urandom(300) + b"\r\n\r\n", wait=0.2)
        works(server)


def chunked_pipelined_and_continued():
    with Server() as server:
        body = json.dumps(HELLO).encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 5]), body[i:i + 5]) for i in range(0, len(body), 5))
        answer = raw(server, b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks +
                     b"0\r\n\r\n")
        assert b'"42\\n"' in answer, answer
        two = b"GET /v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = raw(server, two)
        assert answer.count(b"HTTP/1.1 200") == 2 and b"pong" in answer and answer.index(b"pong") < answer.index(b"threads"), answer
        three = post_bytes(b"/run_code", body) * 2 + post_bytes(b"/run_code", body, b"Connection: close\r\n")
        assert raw(server, three).count(b'"42\\n"') == 3
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(body)
            assert b"HTTP/1.1 200" in connection.recv(65536)
        answer = raw(server, b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and rest == b"", answer
        works(server)


def slow_clients():
    """A byte a second, in header and body, is cut off; nobody waits for it meanwhile."""
    with Server("--read-seconds", "2") as server:
        slow = []
        for data in (b"POST /run_code HTTP/1.1\r\nHost: local", b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"):
            for _ in range(50):
                connection = socket.create_connection(("127.0.0.1", server.port))
                connection.sendall(data)
                slow.append(connection)
        begin, late = time.monotonic(), []
        while time.monotonic() - begin < 6:
            for connection in slow:
                try:
                    connection.send(b"a")
                except OSError:
                    pass
            asked = time.monotonic()
            works(server)
            late.append(time.monotonic() - asked)
            time.sleep(0.9)
        assert max(late) < 3, late
        alive = 0
        for connection in slow:
            connection.settimeout(1)
            try:
                alive += connection.recv(1) != b""
            except OSError as error:
                alive += isinstance(error, TimeoutError)
        assert alive == 0, alive


def a_client_that_does_not_read():
    with Server("--read-seconds", "2") as server:
        body = json.dumps({"code": "print('x' * 7000000)", "language": "python"}).encode()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(post_bytes(b"/run_code", body))
            time.sleep(2)
            works(server)


def cut_connections():
    """Programs of clients that went away are not begun; those that run do no harm."""
    with Server() as server:
        for data in (b"POST /run_code HTT", post_bytes(b"/run_code", b"x" * 100)[:-50], post_bytes(b"/run_code", json.dumps(SLEEP).encode())):
            for _ in range(60):
                connection = socket.create_connection(("127.0.0.1", server.port))
                connection.sendall(data)
                connection.close()
        begin = time.monotonic()
        works(server)
        assert time.monotonic() - begin < 20, time.monotonic() - begin  # 60 programs of 3 s on two threads would be 90 s
        assert b"assay_abandoned_total" in server.ask("GET", "/metrics")[2]


def overload():
    """A full queue says 503 and when to come back; what is at once is answered all the same; nothing that was taken is lost."""
    with Server("--queue", "4") as server:
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(server.ask, "POST", "/run_code", json.dumps(SLEEP), JSON) for _ in range(40)]
            time.sleep(1)
            begin = time.monotonic()
            assert server.ask("GET", "/health")[0] == 200
            assert time.monotonic() - begin < 2
            answers = [one.result() for one in asked]
        taken = [json.loads(body) for status, _, body in answers if status == 200]
        refused = [headers for status, headers, _ in answers if status == 503]
        assert len(taken) + len(refused) == 40 and len(taken) >= 4 and refused, (len(taken), len(refused))
        assert all(answer["run_result"]["stdout"] == "slept\n" for answer in taken)
        assert all(int(headers["Retry-After"]) >= 1 for headers in refused)
        works(server)


def a_batch_lets_others_through():
    """A thousand scripts of one client do not keep another's one from its turn."""
    with Server() as server:
        batch = {"scripts": ["import time; time.sleep(0.5)"] * 60, "language": "python", "timeout": 5, "request_timeout": 60}
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            long = pool.submit(server.post, "/execute_batch", batch)
            time.sleep(0.5)
            begin = time.monotonic()
            works(server)
            assert time.monotonic() - begin < 5, time.monotonic() - begin
            status, answer = long.result()
        assert status == 200 and len(answer) == 60 and all(one["exception_str"] is None for one in answer)


def big_bodies():
    with Server("--max-body-mib", "12") as server:
        text = "x" * 10_000_000
        status, answer = server.post("/run_code", {"code": "print(len(open(0).read()))", "language": "python", "stdin": text})
        assert status == 200 and answer["run_result"]["stdout"] == "10000000\n", (status, str(answer)[:300])
        status, _, body = server.ask("POST", "/run_code", json.dumps({**HELLO, "stdin": text * 2}), JSON)
        assert status == 413, (status, body)
        works(server)


def idle_connections(count=1500):
    """Many connections that say nothing; when there are too many, the longest idle gives way."""
    with Server("--connections", "1000") as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
        works(server)
        text = server.ask("GET", "/metrics")[2].decode()
        time.sleep(0.3)
        text = server.ask("GET", "/metrics")[2].decode()
        now = int(next(line for line in text.splitlines() if line.startswith("assay_connections ")).split()[1])
        assert now <= 1001, now
        idle[-1].sendall(b"GET /v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"pong" in idle[-1].recv(1000)
        for connection in idle:
            connection.close()
        works(server)


def tokens():
    with Server(env={"ASSAY_TOKEN": "sesame"}) as server:
        bearer = {"Authorization": "Bearer sesame"}
        assert server.ask("GET", "/health")[0] == 200
        assert server.ask("GET", "/")[0] == 200
        for headers in ({}, {"Authorization": "Bearer sesam"}, {"Authorization": "Bearer "}, {"Authorization": "Basic sesame"}, {"Authorization": "Bearer sesamesesame"}):
            status, more, _ = server.ask("POST", "/run_code", json.dumps(HELLO), {**JSON, **headers})
            assert status == 401 and more["WWW-Authenticate"] == "Bearer", (headers, status)
            assert server.ask("GET", "/v1/nothing", headers=headers)[0] == 401
        assert server.ask("POST", "/run_code", json.dumps(HELLO), {**JSON, **bearer})[0] == 200
        assert server.ask("GET", "/health", headers={"Host": "assay.example.org", **bearer})[0] == 200
    build = os.environ.get("ASSAY_BUILD_DIR", "build")
    import subprocess
    refused = subprocess.run([os.path.join(build, "assay"), "serve", "--listen", "0.0.0.0:0"], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2 and "token" in refused.stderr, refused


def pages_from_elsewhere():
    with Server() as server:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"},
                        {"Host": "evil.example", "Origin": "http://evil.example"}):
            assert server.ask("POST", "/run_code", json.dumps(HELLO), {**JSON, **headers})[0] == 403, headers
        own = f"http://127.0.0.1:{server.port}"
        assert server.ask("POST", "/run_code", json.dumps(HELLO), {**JSON, "Origin": own})[0] == 200


def verifiers_that_reach_out():
    """What a request names, or its rows, must not reach beyond the sandbox."""
    with Server() as server:
        named = [one["name"] for one in json.loads(server.ask("GET", "/v1/verifiers")[2])["verifiers"] if not one["requests_may_name_it"]]
        for name in named:
            for body in ({"rows": [], "verifier": name}, {"rows": [], "rubric": {"term": [{"verifier": name}]}}):
                status, answer = server.post("/v1/score", body)
                assert status == 422 and "may not name" in answer["detail"], (name, status, answer)
            assert server.post("/v1/check", {"gold": "1", "answer": "1", "verifier": name})[0] == 422
            for row in ({"task": name, "answer": "1", "completion": "1"}, {"task": "math", "answer": "1", "completion": "1", "options": {name: {}}}):
                status, answer = server.post("/v1/score", {"rows": [row]})
                assert "may not name" in answer["results"][0]["error"]["message"], (name, answer)
    with Server("--max-run-seconds", "1") as server:
        row = {"task": "code", "completion": "```python\nwhile True: pass\n```",
               "verification_info": {"asserts": "assert True", "limits": {"cpu_ms": 10**12, "wall_ms": 10**12}}}
        begin = time.monotonic()
        status, answer = server.post("/v1/score", {"rows": [row]})
        assert answer["results"][0]["reward"] == 0.0 and time.monotonic() - begin < 15, answer


def a_graceful_stop():
    """What runs is finished and answered; idle connections are closed; the exit code is 0."""
    with Server() as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        answers = []
        thread = threading.Thread(target=lambda: answers.append(server.post("/run_code", SLEEP)))
        thread.start()
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        thread.join()
        assert server.process.wait(timeout=20) == 0
        assert answers[0][1]["run_result"]["stdout"] == "slept\n", answers
        assert idle.recv(1) == b""
    with Server("--grace-seconds", "1") as server:
        thread = threading.Thread(target=lambda: raw(server, post_bytes(b"/run_code", json.dumps({**HELLO, "code": "import time; time.sleep(60)", "run_timeout": 60}).encode()), 60))
        thread.start()
        time.sleep(1)
        begin = time.monotonic()
        server.stop()
        thread.join()
        assert time.monotonic() - begin < 15, time.monotonic() - begin


def several_processes():
    """One port, one set of counters; a process that is killed is replaced."""
    with Server("--processes", "2") as server:
        for _ in range(20):
            works(server)
        children = [int(pid) for pid in os.popen(f"ps -o pid= --ppid {server.process.pid}").read().split()]
        assert len(children) == 2, children
        os.kill(children[0], signal.SIGKILL)
        begin = time.monotonic()
        while time.monotonic() - begin < 20:
            time.sleep(0.5)
            if len(os.popen(f"ps -o pid= --ppid {server.process.pid}").read().split()) == 2:
                break
        time.sleep(1)
        for _ in range(10):
            works(server)
        text = server.ask("GET", "/metrics")[2].decode()
        assert "assay_process_restarts_total 1" in text
        count = int(next(line for line in text.splitlines() if line.startswith('assay_requests_total{route="/run_code",status="200"}')).split()[1])
        assert count == 30, count
        assert server.stop() == 0


CHECKS = [garbage, chunked_pipelined_and_continued, slow_clients, a_client_that_does_not_read, cut_connections, overload,
          a_batch_lets_others_through, big_bodies, idle_connections, tokens, pages_from_elsewhere, verifiers_that_reach_out, a_graceful_stop,
          several_processes]


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    failed = 0
    for check in CHECKS:
        if only not in check.__name__:
            continue
        begin = time.monotonic()
        try:
            check()
            print(f"ok      {check.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:  # the next check has a server of its own
            failed += 1
            print(f"FAILED  {check.__name__}: {type(error).__name__}: {str(error)[:600]}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
