"""The heartbeat: a native thread that renews leases even while the gevent loop is blocked."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import gevent

from densefog_core.jobs import JobStore, JobTimeout, Lease, LeaseLost, Outcome
from densefog_plugins.worker import machine
from densefog_plugins.worker import tries as limits
from densefog_plugins.worker.tries import STDERR, Tries, Try

#: How many beats go into a lease: three may fail before somebody else takes the jobs.
BEATS = 4

_logger = logging.getLogger("densefog.worker")


class Heartbeat:
    """Beats every quarter of a lease, gives up tries that do not stop, and ends a process whose loop they block.

    A thread of the operating system with a connection of its own, which it keeps, because a handler that does not yield
    keeps every greenlet from running, and its worker must not look dead before its time. What it finds out it hands to
    the loop through an async watcher, the one thing of gevent that is safe to use from another thread. When it can have
    no connection, as on a server at its limit, the loop beats in its place over a connection of the process's pool.

    Who could not beat for a lease gives nothing up: it goes on asking. The row says whether others have taken the job.
    """

    def __init__(
        self, store: JobStore, tries: Tries, lease: float, fail: Callable[[Try, BaseException], Outcome]
    ) -> None:
        self._store = store
        self._tries = tries
        self._lease = lease
        self._fail = fail
        self._stop = machine.native_lock()
        self._news: deque[Lease] = deque()
        self._watcher = gevent.get_hub().loop.async_()
        self._answered = machine.monotonic()
        self._failing = False
        # The greenlet that beats in place of the thread.
        self._deputy: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._watcher.start(self._deliver)
        # The loop may end when nothing but this watcher is left: it is no reason to go on.
        self._watcher.ref = False
        self._stop.acquire()
        machine.start_native_thread(self._run, ())

    def stop(self) -> None:
        """Stop beating."""
        self._stop.release()
        self._watcher.stop()

    def _run(self) -> None:
        interval = min(self._lease / BEATS, limits.GRACE / 5)
        due = machine.monotonic()
        while not self._stop.acquire(timeout=interval):
            # After a failure at each interval, so that the rest of the lease holds several attempts.
            if self._failing or machine.monotonic() >= due:
                due = machine.monotonic() + self._lease / BEATS
                self._failing = not self._beat(native=True)
            # The loop answers with `_deliver`, news or not.
            self._watcher.send()
            self._expire()

    def _beat(self, *, native: bool) -> bool:
        """Renew all leases; return whether the store answered."""
        leases = self._tries.leases()
        try:
            self._tell(self._store.beat(leases, native=native) if leases else [])
        except Exception as exc:  # noqa: BLE001 - the next beat tries again; the worker outlives its database
            if not self._failing:
                _logger.error("cannot renew the leases of %d jobs: %s", len(leases), exc)
            return False
        return True

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
        if machine.monotonic() - self._answered > limits.GRACE and self._tries.expired():
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
        """Interrupt, in the loop, the handlers whose lease is lost, and beat where the thread cannot."""
        self._answered = machine.monotonic()
        if self._failing and not self._deputy:
            self._deputy = gevent.spawn(self._beat, native=False)
        while self._news:
            one = self._tries.get(self._news.popleft())
            if one is not None:
                one.interrupt(LeaseLost("the job was cancelled, or taken over by another worker"))
