"""What a worker does for the job table beside running jobs."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent

from densefog_core.jobs import Job, JobEvent, Lease, Sighting, utcnow
from densefog_plugins.worker.heartbeat import BEATS
from densefog_plugins.worker.schedules import Calendar
from densefog_plugins.worker.watch import Watch

if TYPE_CHECKING:
    from densefog_core.app import App

#: Seconds between two warnings about jobs that nobody here handles.
UNHANDLED_EVERY = 60.0
#: Jobs that one transaction takes back.
RECLAIM_BATCH = 100
#: Rows that one DELETE of old jobs takes, and the seconds between two of them.
PRUNE_BATCH, PRUNE_EVERY = 500, 60.0

_logger = logging.getLogger("densefog.worker")


class Upkeep:
    """Takes back the jobs of dead workers, enqueues recurring ones, deletes old ones.

    Args:
        app: whose jobs.
        through_outages: called with what something is for and with it; does it, again while the store fails.
        wake: lets the worker look for jobs.
        held: returns the leases that this worker holds.

    Attributes:
        loops: what each needs a greenlet of its own.
    """

    def __init__(
        self,
        app: App,
        through_outages: Callable[[str, Callable[[], Any]], Any],
        wake: Callable[[], object],
        held: Callable[[], Collection[Lease]],
    ) -> None:
        self._app = app
        self._through_outages = through_outages
        self._wake = wake
        self._held = held
        self._watch = Watch(app.store, app.config.lease)
        self._ripe: list[Sighting] = []
        self._calendar = Calendar(app.job_specs, utcnow())
        self.loops = (self._reclaim, self._complain, self._prune, self._schedule)

    def _reclaim(self) -> None:
        """Take back the jobs of dead workers; look for them every quarter of a lease."""
        while True:
            self._through_outages("reclaim jobs", self._take_back)
            gevent.sleep(self._app.config.lease / BEATS * random.uniform(0.5, 1))

    def _take_back(self) -> None:
        self._ripe += self._watch.ripe(self._held())
        while batch := self._ripe[:RECLAIM_BATCH]:
            try:
                jobs = self._app.store.reclaim(batch, self._app.config.lease)
            except Exception:
                # What has ended then is told all the same: this may have ended it, though nothing says so.
                self._ripe = [replace(one, unsure=True) for one in batch]
                raise
            del self._ripe[:RECLAIM_BATCH]
            for job in jobs:
                self._reclaimed(job)

    def _reclaimed(self, job: Job) -> None:
        _logger.warning("%s %s: its worker is gone; it is %s (try %d of %d)",
                        job.action, job.id, job.status, job.trys, job.try_max)
        if job.status == "pending":
            self._wake()
            return
        self._app.emit(JobEvent("lost", job, job.error))

    def _complain(self) -> None:
        """Say once a minute which due jobs wait for a package that is not installed."""
        while True:
            for action in self._through_outages("look", lambda: self._app.store.unhandled(self._app.job_specs)) or ():
                _logger.error("jobs of action %s wait: no installed package handles it", action)
            gevent.sleep(UNHANDLED_EVERY)

    def _prune(self) -> None:
        """Delete ended jobs that are older than ``job_retention``, a few at a time."""
        retention = self._app.config.job_retention
        while retention is not None:
            pruned = self._through_outages("prune jobs", lambda: self._app.store.prune(retention, PRUNE_BATCH))
            gevent.sleep(0.1 if pruned == PRUNE_BATCH else PRUNE_EVERY * random.uniform(0.5, 1.5))

    def _schedule(self) -> None:
        """Enqueue recurring jobs when their time has come."""
        while self._calendar:
            now = utcnow()
            if jobs := self._calendar.due(now):
                self._through_outages("enqueue recurring jobs", partial(self._app.store.enqueue, jobs))
            self._calendar.enqueued(now)
            gevent.sleep(self._calendar.pause(utcnow()))
