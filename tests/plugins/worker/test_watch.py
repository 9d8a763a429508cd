"""Which jobs a worker may take back, by its own clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from densefog_core.jobs import Job, Outcome, Sighting, utcnow
from densefog_core.testing import FrozenClock, MemoryStore
from densefog_plugins.worker import machine
from densefog_plugins.worker.watch import Watch

LEASE = 8.0


class Table:
    """A store, a worker that watches it, and the time of both.

    Attributes:
        now: the worker's monotonic clock.
        away: the store raises.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.away = 100.0, False
        self.clock = FrozenClock()
        self.store = MemoryStore(self.clock)
        self.watch = Watch(self.store, LEASE)
        monkeypatch.setattr(machine, "monotonic", lambda: self.now)
        read = self.store.stale

        def stale(lease_seconds: float, limit: int = 10_000) -> list[Sighting]:
            if self.away:
                raise ConnectionError
            return read(lease_seconds, limit)

        monkeypatch.setattr(self.store, "stale", stale)

    def running(self) -> Job:
        """Return a job that somebody runs."""
        self.store.enqueue([Job(id=f"job-{len(self.store.jobs)}", action="Work")])
        [job] = self.store.claim(1, {"Work"})
        return job

    def elapse(self, seconds: float) -> None:
        """Let time go on, for the store as for the worker."""
        self.now += seconds
        self.clock.advance(seconds)

    def looks(self, seconds: float) -> list[Sighting]:
        """Look every quarter of a lease for so long; return what is ripe at the end."""
        found: list[Sighting] = []
        for _ in range(round(seconds / (LEASE / 4))):
            self.elapse(LEASE / 4)
            found = self.watch.ripe(())
        return found


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def test_a_job_is_ripe_a_lease_and_a_half_after_its_last_beat(table: Table) -> None:
    """It looks old after half a lease, is seen in the next quarter, and is watched for half a lease."""
    job = table.running()
    assert table.looks(LEASE) == []
    assert [one.lease for one in table.looks(LEASE / 2)] == [job.lease]


def test_what_changes_is_watched_anew(table: Table) -> None:
    """A beat that comes late is a beat."""
    job = table.running()
    table.looks(LEASE)
    table.store.beat([job.lease])
    assert table.looks(LEASE) == []


def test_a_database_that_stood_still_makes_nothing_ripe(table: Table) -> None:
    """Nobody could beat either: each holder has half a lease to come back."""
    job = table.running()
    table.looks(LEASE)
    table.elapse(10 * LEASE)
    assert table.watch.ripe(()) == table.looks(LEASE / 4) == []
    table.store.beat([job.lease])
    assert table.looks(LEASE) == []


def test_a_refused_look_is_a_gap(table: Table) -> None:
    """However short it was."""
    table.running()
    table.looks(LEASE)
    table.away = True
    with pytest.raises(ConnectionError):
        table.watch.ripe(())
    table.away = False
    assert table.looks(LEASE / 2) == []
    assert len(table.looks(LEASE / 4)) == 1


def test_a_clock_that_jumps_ends_nobodys_job(table: Table) -> None:
    """Neither back nor forth: the holder's next beat clears it."""
    job = table.running()
    for jump in (10 * LEASE, -20 * LEASE):
        table.clock.advance(jump)
        assert table.looks(LEASE / 4) == []
        table.store.beat([job.lease])
    assert table.looks(LEASE / 2) == []


def test_a_time_of_the_future_does_not_hold_a_job_for_ever(table: Table) -> None:
    """Its holder had a clock that was ahead, and died."""
    job = table.running()
    table.store.jobs[job.id] = table.store._put(job, updated=utcnow() + timedelta(days=400))
    assert [one.lease for one in table.looks(LEASE)] == [job.lease]


def test_a_job_that_its_holder_gave_up_is_not_watched(table: Table) -> None:
    job = table.running()
    table.store.finish([Outcome(job, "error", error="stuck")], native=True)
    assert [one.lease for one in table.watch.ripe(())] == [job.lease]


def test_a_worker_does_not_take_its_own_jobs_back(table: Table) -> None:
    """Even where its heartbeat is the one that is late."""
    job = table.running()
    for _ in range(20):
        table.elapse(LEASE / 4)
        assert table.watch.ripe([job.lease]) == []
