"""Jobs that recur: each worker enqueues each time slot of each, under an id made of the job's name and the slot.

So any number of workers may do it: the first one inserts the job, the others find it there. Nobody leads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from densefog_core.jobs import Job, JobSpec, new_job
from densefog_core.jobs.schedules import Schedule, parse

#: A slot that no worker saw is made up for when it is younger. The least ``job_retention`` is as long: otherwise a job
#: that has ended and was deleted could run again.
LOOK_BACK = timedelta(seconds=60)
#: The longest sleep between two looks at the clock, which may be set.
LONGEST_SLEEP = 30.0


class Calendar:
    """The recurring jobs of an application, and up to when their slots were enqueued.

    Args:
        specs: the registered jobs.
        now: naive UTC.
    """

    def __init__(self, specs: Mapping[str, JobSpec], now: datetime) -> None:
        self._specs = specs
        self._schedules = {name: parse(name, spec.every) for name, spec in specs.items() if spec.every is not None}
        self._seen = now - LOOK_BACK

    def __bool__(self) -> bool:
        return bool(self._schedules)

    def due(self, now: datetime) -> list[Job]:
        """Return a job for each recurring one of which a slot has come; of several slots the latest counts.

        They are returned until `enqueued` is called.
        """
        jobs = []
        for name, schedule in self._schedules.items():
            slots = list(_until(schedule, max(self._seen, now - LOOK_BACK), now))
            if slots:
                jobs.append(new_job(self._specs, name, key=f"every {slots[-1].isoformat()}"))
        return jobs

    def enqueued(self, now: datetime) -> None:
        """Note that the slots until ``now`` are in the store."""
        self._seen = now

    def pause(self, now: datetime) -> float:
        """Return the seconds to sleep until the next slot."""
        following = min(schedule.after(now) for schedule in self._schedules.values())
        return min((following - now).total_seconds(), LONGEST_SLEEP)


def _until(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    slot = schedule.after(start)
    while slot <= end:
        yield slot
        slot = schedule.after(slot)
