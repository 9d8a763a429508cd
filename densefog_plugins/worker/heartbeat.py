"""The heartbeat: a native thread that renews leases even while the gevent loop is blocked."""

from __future__ import annotations

import faulthandler
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import gevent
from gevent import monkey

from densefog_core.jobs import JobStore, JobTimeout, Lease, LeaseLost, Outcome
from densefog_plugins.worker import tries as limits
from densefog_plugins.worker.tries import STDERR, Tries, Try

_start_native_thread = monkey.get_original("_thread", "start_new_thread")
_native_lock = monkey.get_original("_thread", "allocate_lock")

#: How many beats go into a lease: three may fail before somebody else takes the jobs.
BEATS = 4

_logger = logging.getLogger("densefog.worker")


class Heartbeat:
    """Beats every quarter of a lease, gives up tries that do not stop, and ends a process whose loop they block.

    A thread of the operating system with a connection of its own, because a handler that does not yield keeps every
    greenlet from running, and its worker must not look dead before its time. What it finds out it hands to the
    loop through an async watcher, the one thing of gevent that is safe to use from another thread.
    """

    def __init__(
        self, store: JobStore, tries: Tries, lease: float, fail: Callable[[Try, BaseException], Outcome]
    ) -> None:
        self._store = store
        self._tries = tries
        self._lease = lease
        self._fail = fail
        self._stop = _native_lock()
        self._news: deque[Lease] = deque()
        self._watcher = gevent.get_hub().loop.async_()
        self._last_beat = self._answered = time.monotonic()
        self._failing = False

    def start(self) -> None:
        """Begin to beat."""
        self._watcher.start(self._deliver)
        # The loop may end when nothing but this watcher is left: it is no reason to go on.
        self._watcher.ref = False
        self._stop.acquire()
        _start_native_thread(self._run, ())

    def stop(self) -> None:
        """Stop beating."""
        self._stop.release()
        self._watcher.stop()

    def _run(self) -> None:
        interval = min(self._lease / BEATS, limits.GRACE / 5)
        due = time.monotonic()
        while not self._stop.acquire(timeout=interval):
            if time.monotonic() >= due:
                due = time.monotonic() + self._lease / BEATS
                self._beat()
            # The loop answers with `_deliver`, news or not.
            self._watcher.send()
            self._expire()

    def _beat(self) -> None:
        leases = self._tries.leases()
        try:
            lost = self._store.beat(leases) if leases else []
        except Exception as exc:  # noqa: BLE001 - the next beat tries again; the worker outlives its database
            if not self._failing:
                _logger.error("cannot renew the leases of %d jobs: %s", len(leases), exc)
            self._failing = True
            if time.monotonic() - self._last_beat > self._lease:
                self._tell(leases)
            return
        self._failing, self._last_beat = False, time.monotonic()
        self._tell(lost)

    def _expire(self) -> None:
        """Give up tries that did not stop at their timeout: their rows are written from here, under the fence."""
        for one in self._tries.stuck():
            one.expired = True
            error = JobTimeout(f"timed out after {one.timeout:g} s and did not stop")
            try:
                self._store.finish([self._fail(one, error)], native=True)
            except Exception as exc:  # noqa: BLE001 - without a heartbeat the lease ends by itself
                _logger.error("cannot write that %s timed out: %s", one.job.id, exc)
            self._tell([one.job.lease])
        if time.monotonic() - self._answered > limits.GRACE and self._tries.expired():
            self._leave()

    def _leave(self) -> NoReturn:
        """End this process, whose loop is blocked for good; its other tries go back at once and at no cost."""
        faulthandler.dump_traceback(file=STDERR)
        others = [Outcome(one.job, "released") for one in self._tries.running() if not one.expired]
        _logger.critical("a handler does not yield; this process ends, and gives back %d other jobs", len(others))
        try:
            self._store.finish(others, native=True)
        except Exception as exc:  # noqa: BLE001 - their leases end by themselves
            _logger.error("cannot give back %d jobs: %s", len(others), exc)
        os._exit(1)

    def _tell(self, lost: list[Lease]) -> None:
        if lost:
            self._news.extend(lost)
            self._watcher.send()

    def _deliver(self) -> None:
        """Interrupt, in the loop, the handlers whose lease is lost."""
        self._answered = time.monotonic()
        while self._news:
            one = self._tries.get(self._news.popleft())
            if one is not None:
                one.interrupt(LeaseLost("the job was cancelled, or taken over by another worker"))
