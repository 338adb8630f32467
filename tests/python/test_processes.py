"""Threads, forks, spawned processes, Ctrl-C and the end of a process."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import assay

TESTS = {"asserts": "assert f(1) == 2"}
RIGHT = "def f(x): return x + 1"


def judge_and_check(_=None):
    return bool(assay.check(TESTS, RIGHT, "code")), bool(assay.check("1/2", "0.5"))


def processes_of(pid):
    """The jail's processes that `pid` started and that still live."""
    out = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = open(f"/proc/{entry}/stat", encoding="latin-1").read()
            except OSError:
                continue
            name, rest = stat.split("(", 1)[1].rsplit(")", 1)
            if name.startswith("assay-jail") and int(rest.split()[1]) == pid and rest.split()[0] != "Z":
                out.append(int(entry))
    return out


def test_threads_get_what_one_gets():
    rows = [{"completion": str(i % 7), "answer": "3"} for i in range(300)]
    rubric = assay.math() + 0.1 * assay.term(lambda text: len(text))
    expected = assay.score(rows, rubric).rewards
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for rewards in pool.map(lambda _: assay.score(rows, rubric).rewards, range(16)):
            assert rewards == expected
        assert all(all(pair) for pair in pool.map(judge_and_check, range(16)))


def test_other_threads_run_while_one_waits():
    slow = {"completion": "import time\ntime.sleep(0.5)\ndef f(x): return x + 1", "verification_info": TESTS}
    for call in (lambda: assay.Sandbox().run("import time; time.sleep(0.5)", "python"), lambda: assay.score([slow], "code")):
        thread = threading.Thread(target=call)
        thread.start()
        ticks = 0
        while thread.is_alive():
            time.sleep(0.01)
            ticks += 1
        assert ticks > 10  # one, if the call kept the interpreter's lock


def test_fork_while_another_thread_scores():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            judge_and_check()

    judge_and_check()
    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(4):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map_async(judge_and_check, range(4)).get(60) == [(True, True)] * 4
    finally:
        stop.set()
        thread.join()
    assert judge_and_check() == (True, True)  # the parent's workers are its own still


def test_spawned_processes():
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(judge_and_check, range(2), timeout=120)) == [(True, True)] * 2


CTRL_C = """
import os, signal, sys, threading, time
import assay
threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
begin = time.monotonic()
try:
    {call}
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begin < 10)
print(bool(assay.check({{"asserts": "assert f(1) == 2"}}, "def f(x): return x + 1", "code")))
"""


def interrupted(call):
    out = subprocess.run([sys.executable, "-c", CTRL_C.format(call=call)], capture_output=True, text=True, timeout=120, check=False)
    assert out.stdout.split("\n")[:2] == ["interrupted True", "True"], out.stdout + out.stderr


def test_ctrl_c_ends_a_program():
    interrupted('assay.Sandbox().run("while True: pass", cpu_ms=60000, wall_ms=60000)')


def test_ctrl_c_ends_scoring():
    interrupted('assay.score([{"completion": "import time\\nwhile True: pass", "verification_info": {"asserts": "assert f()", "limits": {"cpu_ms": 60000, "wall_ms": 60000}}}] * 8, "code")')


def test_ctrl_c_ends_an_own_function():
    interrupted('assay.score([{"completion": "x"}], lambda text: time.sleep(50))')


def test_workers_end_with_the_process():
    code = "import assay, time; assay.check({'asserts': 'assert f(1) == 2'}, 'def f(x): return 2', 'code'); print('ready', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    workers = processes_of(child.pid)
    assert workers
    child.send_signal(signal.SIGKILL)
    child.wait()
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{pid}") for pid in workers):
            break
        time.sleep(0.1)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)
