"""The worker: claims due jobs for its free slots, runs each in a greenlet, writes outcomes in batches."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from densefog_core.current import serving
from densefog_core.flow.control import StoreControl
from densefog_core.jobs import (
    Job,
    JobEvent,
    JobInterrupt,
    JobShutdown,
    JobTimeout,
    LeaseLost,
    Outcome,
    chosen,
    failure,
    run_job,
)
from densefog_plugins.worker import machine
from densefog_plugins.worker.book import Book
from densefog_plugins.worker.claims import Claims
from densefog_plugins.worker.heartbeat import Heartbeat
from densefog_plugins.worker.hints import Listener, wakes
from densefog_plugins.worker.tries import Tries, Try
from densefog_plugins.worker.upkeep import Upkeep
from densefog_plugins.worker.watchdog import Watchdog

if TYPE_CHECKING:
    from densefog_core.app import App

#: Seconds until the second poll of a worker that found nothing; doubled up to `poll_interval`.
FIRST_POLL = 0.1
#: What gevent calls readable.
READ = 1
#: Outcomes that one transaction writes.
FLUSH = 100
#: Seconds that interrupted handlers get to clean up at shutdown.
CLEANUP = 2.0
#: Seconds between tries to reach a database that is gone, at first and at most, and the latter as a part of a lease:
#: who returns from an outage must look before others take its jobs back.
OUTAGE_PAUSE, OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_PART = 0.2, 10.0, 1 / 8

#: What a store raises that no later attempt can do without; anything else may be an outage.
UNSTORABLE = (ValueError, TypeError, ArithmeticError)

_logger = logging.getLogger("densefog.worker")

_KINDS: dict[str, Any] = {"finished": "finished", "retry": "retrying", "error": "failed"}


class GeventWorker:
    """Runs the jobs of an application's store."""

    def __init__(self, app: App) -> None:
        config = app.config
        self._app = app
        self._pick_size: int = config.pick_size
        self._exec_size: int = config.exec_size
        self._exec_timeout: float = config.exec_timeout
        self._poll_interval: float = config.poll_interval
        self._lease: float = config.lease
        self._specs = chosen(app.job_specs, config)
        self._tries = Tries()
        self._book = Book(config, self._exec_size)
        self._watchdog = Watchdog(self._tries)
        self._outcomes: list[tuple[Try, Outcome]] = []
        self._wake = Event()
        self._claims = Claims(app.store, self._lease)
        self._control = StoreControl(app.store, gevent.sleep)
        self._upkeep = Upkeep(app, self._through_outages, self._wake.set, self._tries.leases)
        # The one thing of gevent that other threads may touch; it sets the event in the loop.
        self._waker: Any = None
        self._hints: Any = None
        self._flush = Event()
        # Whether the last claim took all that it could: then there may be more, as soon as a slot is free.
        self._more = False
        self._stopping = False
        self._broken: BaseException | None = None
        self._drain_deadline = 0.0
        self._stopped = Event()

    # -- the life of the worker ----------------------------------------------------------------------------

    def start(self) -> None:
        """Run jobs until `stop` is called from another greenlet or thread."""
        self._waker = gevent.get_hub().loop.async_()
        self._waker.start(self._wake.set)
        self._waker.ref = False
        wakes(self._app).append(self.wake)
        listener = self._listen()
        self._book.open()
        heartbeat = Heartbeat(self._app.store, self._tries, self._lease, self._failed)
        helpers = [gevent.spawn(loop) for loop in (self._flusher, *self._upkeep.loops)]
        for helper in helpers:
            helper.link_exception(self._helper_died)
        heartbeat.start()
        self._watchdog.start()
        try:
            self._work()
            self._drain()
        finally:
            wakes(self._app).remove(self.wake)
            gevent.killall(helpers)
            self._watchdog.stop()
            heartbeat.stop()
            self._waker.stop()
            if self._hints is not None:
                self._hints.close()
            listener.close()
            self._book.close()
            self._stopped.set()
        if self._broken is not None:
            raise self._broken

    def _helper_died(self, helper: Any) -> None:  # noqa: ANN401
        """Stop, so that the supervisor starts another: without one of its loops a worker would keep jobs for ever."""
        _logger.critical("a loop of the worker has ended by %s; it stops", type(helper.exception).__name__)
        self._broken = helper.exception
        self._begin_to_stop(self._app.config.drain_timeout)

    def stop(self, timeout: float | None = None) -> None:
        """Take no more jobs, let running ones finish, put back the rest; returns when `start` does.

        Args:
            timeout: seconds that running jobs get; None takes ``CONF.drain_timeout``.
        """
        seconds = self._app.config.drain_timeout if timeout is None else timeout
        self._begin_to_stop(seconds)
        self._stopped.wait(seconds + 2 * CLEANUP + 1)

    def _begin_to_stop(self, seconds: float) -> None:
        self._drain_deadline = machine.monotonic() + seconds
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Look for jobs at once; safe to call from any thread."""
        if self._waker is not None:
            self._waker.send()

    def _listen(self) -> Listener:
        """Be woken by other processes, too."""
        listener = Listener(self._app.config)
        if listener.open():
            self._hints = gevent.get_hub().loop.io(listener.fileno(), READ)
            self._hints.start(self._hinted, listener)
        return listener

    def _hinted(self, listener: Listener) -> None:
        listener.drain()
        self._wake.set()

    def run_pending(self) -> int:
        """Run what is due now, in this thread, until nothing is; return the number of tries run."""
        heartbeat = Heartbeat(self._app.store, self._tries, self._lease, self._failed)
        heartbeat.start()
        count = 0
        try:
            while jobs := self._app.store.claim(self._pick_size, self._specs):
                for job in jobs:
                    self._tries[job.lease] = self._new_try(job)
                for job in jobs:
                    self._run(self._tries[job.lease])
                    self._write(self._taken())
                    count += 1
        finally:
            heartbeat.stop()
        return count

    def _work(self) -> None:
        pause = FIRST_POLL
        while not self._stopping:
            self._wake.clear()
            free = self._exec_size - len(self._tries.running())
            if free <= 0:
                self._wake.wait()
                continue
            limit = min(self._pick_size, free)
            jobs = self._claim(limit)
            self._more = len(jobs) == limit
            for job in jobs:
                self._spawn(job)
            if jobs:
                pause = FIRST_POLL
                # Handlers that need not wait end here, so that the next claim finds their slots free.
                gevent.sleep(0)
            if not self._more:
                woken = self._wake.wait(pause * random.uniform(0.75, 1))
                pause = FIRST_POLL if woken else min(pause * 2, self._poll_interval)

    def _claim(self, limit: int) -> list[Job]:
        return self._through_outages("claim jobs", lambda: self._claims.take(limit, self._specs)) or []

    def _through_outages(self, what: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Do ``work``; while the store fails, log it once and try again, ever more slowly."""
        pause, failed = OUTAGE_PAUSE, False
        while True:
            try:
                result = work()
            except Exception as exc:  # noqa: BLE001 - a worker outlives its database
                if not failed:
                    _logger.error("cannot %s, trying again: %s", what, exc)
                failed = True
            else:
                if failed:
                    _logger.warning("can %s again", what)
                return result
            if self._stopping and machine.monotonic() > self._drain_deadline:
                return None
            gevent.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, OUTAGE_PAUSE_MAX, self._lease * OUTAGE_PAUSE_PART)

    # -- one try -------------------------------------------------------------------------------------------

    def _new_try(self, job: Job) -> Try:
        timeout = self._app.job_specs[job.action].timeout
        return Try(job, self._exec_timeout if timeout is None else timeout)

    def _spawn(self, job: Job) -> None:
        one = self._tries[job.lease] = self._new_try(job)
        self._book.hold(job.lease)
        one.greenlet = gevent.spawn(self._run, one)

    def _run(self, one: Try) -> None:
        try:
            outcome = self._try(one)
        except JobInterrupt as exc:
            # It came before the handler began, or while its clean-up ran.
            outcome = self._interrupted(one, exc)
        except BaseException as exc:
            # A try without an outcome would keep its slot and its lease.
            _logger.exception("%s %s was ended by %s", one.job.action, one.job.id, type(exc).__name__)
            outcome = self._failed(one, exc)
        one.running = False
        if one.expired:
            outcome = Outcome(one.job, "dropped", error="timed out")
        self._outcomes.append((one, outcome))
        self._flush.set()
        if self._more:
            self._wake.set()

    def _try(self, one: Try) -> Outcome:
        one.begin()
        self._watchdog.watch(one)
        self._app.emit(JobEvent("started", one.job))
        timer = gevent.Timeout.start_new(one.timeout, JobTimeout(f"timed out after {one.timeout:g} s"))
        try:
            with serving(self._app):
                spec = self._app.job_specs[one.job.action]
                return run_job(spec, self._app.call_job, one.job, self._control, self._app.told, self._app.cipher)
        finally:
            timer.close()

    def _interrupted(self, one: Try, exc: JobInterrupt) -> Outcome:
        if isinstance(exc, JobShutdown):
            return Outcome(one.job, "released")
        if isinstance(exc, LeaseLost):
            return Outcome(one.job, "dropped", error=str(exc))
        return self._failed(one, exc)

    def _failed(self, one: Try, exc: BaseException) -> Outcome:
        return failure(self._app.job_specs[one.job.action], one.job, exc, self._app.told(exc))

    # -- outcomes ------------------------------------------------------------------------------------------

    def _flusher(self) -> None:
        while True:
            self._flush.wait()
            self._flush.clear()
            while batch := self._taken():
                self._write(batch)

    def _taken(self) -> list[tuple[Try, Outcome]]:
        batch, self._outcomes = self._outcomes[:FLUSH], self._outcomes[FLUSH:]
        return batch

    def _write(self, batch: list[tuple[Try, Outcome]]) -> None:
        """Write outcomes; only then the leases go and events tell of them."""
        outcomes = [outcome for _, outcome in batch]

        def finish() -> list[bool]:
            nonlocal outcomes
            try:
                return self._finish(outcomes)
            except Exception:
                # They may be written though nothing says so; then the next attempt learns it from the rows.
                outcomes = [replace(outcome, unsure=True) for outcome in outcomes]
                raise

        accepted = self._through_outages("write outcomes", finish)
        for (one, outcome), written in zip(batch, accepted or [False] * len(batch), strict=True):
            self._tries.pop(one.job.lease, None)
            self._book.drop(one.job.lease)
            if written:
                self._tell(one, outcome)
            elif outcome.status != "dropped" or not one.expired:
                why = "the lease of try %d is lost" if accepted else "the database was away until try %d had to stop"
                _logger.warning(f"%s %s: {why}; its outcome %s is dropped",
                                one.job.action, one.job.id, one.job.trys, outcome.status)

    def _finish(self, outcomes: list[Outcome]) -> list[bool]:
        """Write them together; when the store refuses one for what it holds, that one ends as an error."""
        try:
            with serving(self._app):
                return self._app.store.finish(outcomes)
        except UNSTORABLE:
            if len(outcomes) > 1:
                return [self._finish([outcome])[0] for outcome in outcomes]
            _logger.exception("the outcome of %s cannot be stored", outcomes[0].job.id)
        try:
            return self._app.store.finish([_storable(outcomes[0])])
        except UNSTORABLE:
            # Others must not wait for it. Its lease ends, and whoever takes the job back tries it again.
            return [False]

    def _tell(self, one: Try, outcome: Outcome) -> None:
        if outcome.status in _KINDS:
            self._app.emit(
                JobEvent(_KINDS[outcome.status], one.job, outcome.error, outcome.exception,
                         machine.monotonic() - one.started)
            )

    # -- shutdown ------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Let running handlers finish until the deadline, then interrupt them; write every outcome."""
        running = [one.greenlet for one in self._tries.running() if one.greenlet is not None]
        gevent.joinall(running, timeout=max(0.0, self._drain_deadline - machine.monotonic()))
        for one in self._tries.running():
            one.interrupt(JobShutdown("the worker stops"))
        gevent.joinall(running, timeout=CLEANUP)
        for one in self._tries.running():
            one.running = False
            self._outcomes.append((one, Outcome(one.job, "released")))
        while self._tries and machine.monotonic() < self._drain_deadline + 2 * CLEANUP:
            if batch := self._taken():
                self._write(batch)
            else:
                gevent.sleep(0.01)
        try:
            self._claims.give_back()
        except Exception as exc:  # noqa: BLE001 - their leases end by themselves
            _logger.error("cannot give back what a claim took whose answer was lost: %s", exc)


def _storable(outcome: Outcome) -> Outcome:
    """Return what a table takes whatever its character set: a result that it refuses ends the job as an error."""
    status = "error" if outcome.status == "finished" else outcome.status
    error = f"its outcome cannot be stored; {outcome.error}".encode("ascii", "backslashreplace").decode()
    return replace(outcome, status=status, result=None, error=error)
