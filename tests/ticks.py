"""How long gevent's loop is kept from its greenlets, told apart from what the machine does meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import gevent

#: Seconds that the greenlet sleeps.
TICK = 0.001


class Late(NamedTuple):
    """The longest times in ms between two runs of a greenlet that is due each millisecond.

    Attributes:
        wall: by the clock on the wall.
        own: the same without what the thread waited for a processor, which is the machine's affair.
        cpu: what the thread worked; more of its own than that is waiting in C, or for another thread with the GIL.
    """

    wall: float
    own: float
    cpu: float


class Ticks:
    """Measures the loop of the thread that makes it, in a block or from `start` on."""

    def __enter__(self) -> Ticks:
        self.start()
        gevent.sleep(0.01)
        self.take()
        return self

    def __exit__(self, *exc: object) -> None:
        self._greenlet.kill()

    def start(self) -> None:
        """Begin to measure."""
        self._waited = waited_for_processor()
        self._longest = Late(0.0, 0.0, 0.0)
        self._greenlet = gevent.spawn(self._run)

    def take(self) -> Late:
        """Return the longest times since the last call."""
        found, self._longest = self._longest, Late(0.0, 0.0, 0.0)
        return found

    def _run(self) -> None:
        last = self._now()
        while True:
            gevent.sleep(TICK)
            now = self._now()
            self._longest = Late(*map(max, self._longest, (now[n] - last[n] for n in range(3))))
            last = now

    def _now(self) -> Late:
        wall = time.monotonic() * 1000
        return Late(wall, wall - self._waited(), time.thread_time() * 1000)


def waited_for_processor() -> Callable[[], float]:
    """Return what tells how many ms this thread was ready and did not run; 0 where the kernel does not count them."""
    try:
        file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except FileNotFoundError:
        return lambda: 0.0
    return lambda: int(os.pread(file, 100, 0).split()[1]) / 1e6
