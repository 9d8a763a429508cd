"""How late the loop is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

#: Seconds between two looks at the clock, and the least that counts as a stall.
INTERVAL, STALL = 0.25, 0.1
#: Looks at the clock between two ticks.
TICK = 8

_logger = logging.getLogger("densefog.metrics")


class Watch:
    """Sleeps for a moment again and again; when it wakes up late, nobody else could run either.

    It is a greenlet where the standard library is cooperative, and elsewhere a thread, which shows who holds the GIL.

    Args:
        stalled: called with the seconds of each stall.
        tick: called every few seconds.
    """

    def __init__(self, stalled: Callable[[float], object], tick: Callable[[], object]) -> None:
        self._stalled = stalled
        self._tick = tick
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="densefog-metrics", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        count = 0
        while True:
            if count % TICK == 0:
                self._measure()
            count += 1
            before = time.monotonic()
            if self._stop.wait(INTERVAL):
                return
            late = time.monotonic() - before - INTERVAL
            if late >= STALL:
                self._stalled(late)

    def _measure(self) -> None:
        try:
            self._tick()
        except Exception:
            _logger.exception("the gauges of this process cannot be read")
