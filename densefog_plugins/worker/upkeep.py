"""What a worker does for the job table beside running jobs."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent

from densefog_core.jobs import Job, JobEvent, JobSearch, Lease, Sighting, utcnow
from densefog_plugins.worker.book import left_behind
from densefog_plugins.worker.heartbeat import BEATS
from densefog_plugins.worker.schedules import Calendar
from densefog_plugins.worker.watch import Watch

if TYPE_CHECKING:
    from densefog_core.app import App

#: Seconds between two warnings about jobs that nobody here handles.
UNHANDLED_EVERY = 60.0
#: Jobs that one transaction takes back.
RECLAIM_BATCH = 100
#: Seconds between two looks for dead processes of this machine.
INHERIT_EVERY = 1.0
#: Seconds within which their jobs are due again that have lost a worker before.
APART = 3.0
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
        self._calendar = Calendar(app.job_specs, utcnow())
        self.loops = (self._reclaim, self._inherit, self._complain, self._prune, self._schedule)

    def _reclaim(self) -> None:
        """Take back the jobs of dead workers; look for them every quarter of a lease."""
        ripe: list[Sighting] = []
        lease = self._app.config.lease

        def look() -> None:
            ripe.extend(self._watch.ripe(self._held()))
            self._take_back(ripe, lease)

        while True:
            self._through_outages("reclaim jobs", look)
            gevent.sleep(lease / BEATS * random.uniform(0.5, 1))

    def _inherit(self) -> None:
        """Take back at once what processes of this machine held that are gone."""
        while True:
            for left in left_behind(self._app.config):
                ripe = [Sighting(lease) for lease in left.leases]
                self._through_outages("reclaim jobs", partial(self._take_back, ripe, APART))
                if not ripe:
                    left.path.unlink(missing_ok=True)
            gevent.sleep(INHERIT_EVERY)

    def _take_back(self, ripe: list[Sighting], apart: float) -> None:
        """Take back what was seen, and remove it from the list; see `densefog_core.jobs.JobStore.reclaim`."""
        while batch := ripe[:RECLAIM_BATCH]:
            try:
                jobs = self._app.store.reclaim(batch, apart)
            except Exception:
                # What has ended then is told all the same: this may have ended it, though nothing says so.
                ripe[:RECLAIM_BATCH] = [replace(one, unsure=True) for one in batch]
                raise
            del ripe[:RECLAIM_BATCH]
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

    def _recur(self, jobs: list[Job]) -> None:
        """Enqueue recurring jobs; of a paused one that waits already, no more."""
        store = self._app.store
        pauses = store.pauses.current()

        def waits(action: str) -> int:
            return store.count(JobSearch(status="pending", actions=[action]), 1)

        if wanted := [job for job in jobs if pauses.of(job.action, job.project_id) is None or not waits(job.action)]:
            store.enqueue(wanted)

    def _schedule(self) -> None:
        """Enqueue recurring jobs when their time has come."""
        while self._calendar:
            now = utcnow()
            if jobs := self._calendar.due(now):
                self._through_outages("enqueue recurring jobs", partial(self._recur, jobs))
            self._calendar.enqueued(now)
            gevent.sleep(self._calendar.pause(utcnow()))
