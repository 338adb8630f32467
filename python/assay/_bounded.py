"""A user's function called on a thread that can be left behind, so that a call which never comes back costs its rows a reward and not the run.

Python can end no thread. One that is stuck gets an exception, which ends loops of Python at once and whatever waits in C when it comes
back; until then it keeps what it holds. A function of which too many calls are stuck is not called any more.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

STUCK_MOST = 16
_LOOK_S = 0.1  # how often a waiting thread looks whether the run was interrupted


class TooLong(BaseException):
    """Raised inside of a call that nobody waits for any more. No Exception, so that the function's own `except` lets it through."""


class Late(str):
    """The result of a call that took too long: a sentence."""


class Interrupted(Late):
    """The same where nobody wants to know any more."""


class _Items:
    """Items that a function is called with one after another, and how far it has come."""

    def __init__(self, call: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._call = call
        self._items = items
        self.results: list[Any] = []
        self.at = (0, math.inf)  # which item, since when
        self.done = threading.Event()
        self.raised: BaseException | None = None
        self.left = False  # nobody waits for it any more: what a function caught must not go on with the next item

    def run(self) -> None:
        try:
            for place, item in enumerate(self._items):
                if self.left:
                    return
                self.at = (place, time.monotonic())
                self.results.append(self._call(item))
        except TooLong:
            raise
        except BaseException as error:
            self.raised = error
        finally:
            self.done.set()


class _Runner:
    """A thread that makes one call after another, until one does not come back."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[_Items] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="assay-own-function", daemon=True)
        self._thread.start()

    def give(self, items: _Items) -> None:
        self._inbox.put(items)

    def leave(self) -> None:
        """Ends the thread as soon as it can be ended. Whatever it is at, nobody takes it up again."""
        import ctypes

        ident = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TooLong))
        self.give(_Items(str, ()))  # it may have come back just now, and wait for the next

    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        try:
            while True:
                self._inbox.get().run()
        except TooLong:
            pass


_idle: list[_Runner] = []
os.register_at_fork(after_in_child=_idle.clear)  # a child has none of these threads


class Bounded:
    """`call` over items, each of which may take `seconds`. Safe from any thread."""

    def __init__(self, call: Callable[[Any], Any], seconds: float, interrupted: Callable[[], bool]) -> None:
        self._call = call
        self._seconds = seconds
        self._interrupted = interrupted
        self._stuck: list[_Runner] = []
        self._lock = threading.Lock()

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        """What each call gave, or Late. An exception of `call` goes on to the caller."""
        out: list[Any] = []
        while len(out) < len(items):
            stuck = self._count_stuck()
            if stuck >= STUCK_MOST:
                why = Late(f"TimeoutError: {stuck} earlier calls have not come back, so that there are no more")
                return out + [why] * (len(items) - len(out))
            out += self._some(items[len(out) :])
        return out

    def _count_stuck(self) -> int:
        with self._lock:
            self._stuck = [runner for runner in self._stuck if runner.alive()]
            return len(self._stuck)

    def _some(self, items: Sequence[Any]) -> list[Any]:
        """The results up to the first that is late."""
        try:
            runner = _idle.pop()
        except IndexError:
            runner = _Runner()
        work = _Items(self._call, items)
        runner.give(work)
        place = self._wait(work)
        if place is None:
            _idle.append(runner)
            if work.raised is not None:
                raise work.raised
            return work.results
        with self._lock:
            self._stuck.append(runner)
        work.left = True
        runner.leave()
        if self._interrupted():
            return work.results[:place] + [Interrupted("interrupted")] * (len(items) - place)
        return [*work.results[:place], Late(f"TimeoutError: the call took longer than {self._seconds:g} s")]

    def _wait(self, work: _Items) -> int | None:
        """None when all is done, else the item that is late, or that it was at when the run was interrupted."""
        while True:
            place, since = work.at
            left = since + self._seconds - time.monotonic()
            if work.done.wait(min(max(left, 0), _LOOK_S)):
                return None
            if self._interrupted() or (left <= 0 and work.at[0] == place):
                return place
