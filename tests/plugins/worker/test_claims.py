"""What becomes of a claim whose answer was lost."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from densefog_core.jobs import Job
from densefog_core.testing import MemoryStore
from densefog_plugins.worker import machine
from densefog_plugins.worker.claims import Claims

LEASE = 8.0


class Losing(MemoryStore):
    """Loses answers, or executes a claim later.

    Attributes:
        lose: the next claim's answer.
        late: claims that are executed when somebody says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lose = self.stands = False
        self.late: list[str] = []
        self.looked = 0

    def claim(self, limit: int, actions: Collection[str], name: str = "") -> list[Job]:
        if self.stands:
            self.late.append(name)
            raise ConnectionError
        jobs = super().claim(limit, actions, name)
        if self.lose:
            self.lose = False
            raise ConnectionError
        return jobs

    def give_back(self, names):  # type: ignore[no-untyped-def]
        self.looked += 1
        return super().give_back(names)


@pytest.fixture
def store() -> Losing:
    store = Losing()
    store.enqueue([Job(id="job-1", action="Work", try_max=1)])
    return store


def take(claims: Claims) -> list[Job]:
    return claims.take(5, {"Work"})


def test_what_an_unanswered_claim_took_is_taken_again_at_no_cost(store: Losing) -> None:
    """A job of one try runs."""
    claims = Claims(store, LEASE)
    store.lose = True
    with pytest.raises(ConnectionError):
        take(claims)
    assert store.jobs["job-1"].status == "running"
    [job] = take(claims)
    assert (job.trys, job.try_max) == (2, 2)


def test_a_claim_that_is_executed_later_is_given_back_too(store: Losing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stood still executes what it was sent when it goes on; after a lease nobody looks any more."""
    now = 100.0
    monkeypatch.setattr(machine, "monotonic", lambda: now)
    claims = Claims(store, LEASE)
    store.stands = True
    with pytest.raises(ConnectionError):
        take(claims)
    store.stands = False
    store.claim(5, {"Work"}, store.late[0])
    assert [job.id for job in take(claims)] == ["job-1"]
    for _ in range(40):
        now += LEASE / 8
        take(claims)
    assert store.looked <= 10


def test_a_claim_that_is_answered_costs_no_look(store: Losing) -> None:
    claims = Claims(store, LEASE)
    assert len(take(claims)) == 1 and take(claims) == []
    assert store.looked == 0
