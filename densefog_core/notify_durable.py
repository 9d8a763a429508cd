"""Notices of last failures that no crash loses: they are derived from the job table, by a job.

Nothing is written on the path of a job that fails. For each channel there is one job ``densefog.Notify``, made when the
first worker starts. It reads the jobs that ended as an error since its last run, sends their notices, and keeps in its
own result what it has told: a kill between the failed job's row and the notice leaves the row to be found, and a kill
between the notice and the result sends the notice again. Each worker looks, after a failure and once a minute, whether
there is something to tell, and puts the job back to pending.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from densefog_core.jobs import Job, JobFilter, JobRegistry, keyed_id, utcnow
from densefog_core.jobs.tries import RunningJob
from densefog_core.notify_storm import fold

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.notices.records import Notification

NOTIFY = "densefog.Notify"

#: Seconds between two looks at the table when this worker has seen no failure, and at least between any two.
LOOK_EVERY, LOOK_LEAST = 60.0, 1.0
#: Seconds by which a row may become visible later than one that was written after it.
OVERLAP = 120.0
#: Jobs told of that are remembered by name: so many of 40 to 60 bytes fit into the result's column.
MAX_TOLD = 800
PAGE = 100

_logger = logging.getLogger("densefog.notify")


def register(registry: JobRegistry, app: App) -> None:
    """Register the job that tells of last failures."""

    def run(params: dict[str, Any], job: RunningJob) -> dict[str, Any]:
        return tell(app, params, job)

    registry.add(NOTIFY, run, try_max=3, backoff=lambda tries: min(10.0 * tries, 60.0))


def job_id(channel: str) -> str:
    """Return the id of a channel's job."""
    return keyed_id(NOTIFY, channel)


def tell(app: App, params: dict[str, Any], job: RunningJob) -> dict[str, Any]:
    """Send the notices of the jobs that ended as an error since the last run, one digest in place of many.

    Args:
        app: whose channels.
        params: ``channel``, its name.
        job: the try; what was told is written to its result after each notice.

    Raises:
        Exception: whatever the channel raises; the next try goes on where this one stopped.
    """
    told = Told.of(app.store.get(job.id) or job.job)
    outbox = app.notifier.outbox(params["channel"])
    if outbox is None:
        raise LookupError(f"channel {params['channel']!r} is not used by the worker that runs this job")
    rows = told.missing(app)
    budget = outbox.budget()
    if not rows or budget < 1:
        return told.json()
    notices = [notice for row in rows if (notice := _notice(app, row)).topic in outbox.topics]
    for notice, parts in fold(notices, budget, (utcnow() - min(row.updated for row in rows)).total_seconds()):
        outbox.send(notice)
        told = told.adding([part.job for part in parts])
        job.progress(told.json())
    return told.adding(rows).moved_on().json()


def _notice(app: App, row: Job) -> Notification:
    return app.notifier.notice("lost" if row.end == "lost" else "gave_up", row, row.error)


class Told:
    """What a channel's job has told of: everything that ended before a time, and these jobs since then.

    Attributes:
        since: naive UTC, whole seconds.
    """

    def __init__(self, since: datetime, receipts: dict[str, str]) -> None:
        self.since = since
        self._receipts = receipts

    @classmethod
    def of(cls, job: Job) -> Told:
        """Read what a channel's job keeps; one that never ran tells of what happens from its creation on."""
        kept = job.result if isinstance(job.result, dict) else {}
        since = datetime.fromisoformat(kept["since"]) if "since" in kept else job.created
        return cls(since, dict(kept.get("told", {})))

    def __bool__(self) -> bool:
        return bool(self._receipts)

    def json(self) -> dict[str, Any]:
        """Return it as the job's result."""
        return {"since": self.since.isoformat(), "told": self._receipts}

    def missing(self, app: App) -> list[Job]:
        """Return the jobs that ended as an error and were not told of."""
        which = JobFilter(status=["error"], updated_since=self.since, limit=PAGE, reverse=False)
        found: list[Job] = []
        while page := app.store.page(replace(which, offset=len(found)))[0]:
            found += page
        return [job for job in found if self._is_missing(job)]

    def _is_missing(self, job: Job) -> bool:
        return job.action != NOTIFY and job.end != "cancelled" and f"{job.id}:{job.trys}" not in self._receipts

    def adding(self, jobs: list[Job]) -> Told:
        """Return it with ``jobs`` told of, too."""
        return Told(self.since, self._receipts | {f"{job.id}:{job.trys}": job.updated.isoformat() for job in jobs})

    def moved_on(self) -> Told:
        """Return it when everything was told of: only what is recent needs to be kept."""
        times = sorted(map(datetime.fromisoformat, self._receipts.values()), reverse=True)
        if not times:
            return self
        since = max(self.since, times[0] - timedelta(seconds=OVERLAP))
        if len(times) > MAX_TOLD:
            since = max(since, times[MAX_TOLD] + timedelta(seconds=1))
        return Told(since, {key: at for key, at in self._receipts.items() if datetime.fromisoformat(at) >= since})


class Teller:
    """Looks in a thread whether there is something to tell, and puts the channels' jobs back to pending."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._news = threading.Event()
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="notify-durable", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look soon: a job has failed for good."""
        self._news.set()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._news.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            pause = self._look()
            if pause is None:
                self._news.wait(LOOK_EVERY)
            self._stop.wait(min(max(LOOK_LEAST, pause or 0.0), LOOK_EVERY))

    def _look(self) -> float | None:
        """Look once; return the seconds until there is something to do, or None when there is nothing."""
        try:
            pauses = [self._revive(name) for name in self._app.notifier.counts()]
        except Exception as exc:  # noqa: BLE001 - the next look tries again; it outlives its database
            if not self._failing:
                _logger.error("cannot look for failed jobs to tell of: %s", exc)
            self._failing = True
            return LOOK_EVERY
        self._failing = False
        return min([pause for pause in pauses if pause is not None], default=None)

    def _revive(self, channel: str) -> float | None:
        store = self._app.store
        job = store.get(job_id(channel))
        if job is None:
            self._app.enqueue(NOTIFY, {"channel": channel}, key=channel)
            return None
        told = Told.of(job)
        if job.status in ("pending", "running") or not told.missing(self._app):
            return None
        wait: float = (job.updated - utcnow()).total_seconds() + self._app.config.notify_window
        if wait > 0 and told:
            return wait
        store.retry([job.id])
        return None
