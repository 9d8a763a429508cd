"""Recurring jobs: once for each slot, however many workers there are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from densefog_core.errors import RegistrationError
from densefog_core.jobs import JobFilter, JobSpec, make_spec
from densefog_plugins.worker.schedules import LOOK_BACK, Calendar, parse
from tests.plugins.worker.processes import Site

NOON = datetime(2026, 11, 23, 12, 0, 0)


def specs(**every: str | None) -> Mapping[str, JobSpec]:
    return {name: make_spec(name, lambda: None, {"every": one}) for name, one in every.items()}


def after(every: str, moment: datetime = NOON) -> datetime:
    return parse("Tick", every).after(moment)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1s", NOON + timedelta(seconds=1)),
        ("45s", NOON + timedelta(seconds=45)),
        ("5m", NOON + timedelta(minutes=5)),
        ("2h", NOON + timedelta(hours=2)),
        ("1d", NOON + timedelta(hours=12)),
        ("*/10 * * * *", NOON + timedelta(minutes=10)),
        ("30 3 * * *", NOON + timedelta(hours=15, minutes=30)),
        ("0 0 1 1 *", datetime(2027, 1, 1)),
    ],
)
def test_slots_follow_the_clock(every: str, expected: datetime) -> None:
    assert after(every) == expected
    assert after(every, expected - timedelta(microseconds=1)) == expected
    assert after(every, expected) > expected


@pytest.mark.parametrize("every", ["", "5", "m", "0s", "-5m", "5 m", "5m 3s", "* * * *", "61 * * * *", "soon"])
def test_what_is_no_schedule_is_refused_by_name(every: str) -> None:
    with pytest.raises(RegistrationError, match=r"job 'Tick': every=.* is no time such as 5m and no cron line"):
        parse("Tick", every)


@pytest.mark.parametrize(
    ("every", "why"),
    [
        ("0 0 30 2 *", "never comes"), ("0 0 31 4,6 *", "never comes"), ("0 0 29 2 * 0 2027", "never comes"),
        ("0 0 1 1 * 0 2020", "never comes"), ("0 0 1 1 * 0 2020-2021,2022", "never comes"),
        ("4000000d", "is more than 3650 days"), ("999999999s", "is more than 3650 days"),
        ("9" * 5000 + "s", "is no time such as 5m"),
        ("R R * * *", "is random"), ("0 r(1-5) * * *", "is random"), ("5,R/7 * * * *", "is no time|is random"),
    ],
)  # fmt: skip
def test_what_never_comes_or_comes_at_random_is_refused_by_name(every: str, why: str) -> None:
    """When it is declared: a worker that found out later would keep every other job waiting."""
    with pytest.raises(RegistrationError, match=f"^job 'Tick': every=.* {why}"):
        specs(Tick=every)


def test_a_month_with_an_r_in_its_name_is_not_random() -> None:
    """Nor is a day."""
    assert after("0 0 * apr,MAR fri") == datetime(2027, 3, 5)


def test_a_schedule_that_has_come_to_its_end_leaves_the_others_alone() -> None:
    """It had slots when it was declared; then it has no more."""
    ended = Calendar(specs(Tick="0 0 1 1 * 0 2027-2028", Tock="1h"), datetime(2030, 1, 1))
    noon = datetime(2030, 1, 1, 12)
    assert [job.action for job in ended.due(noon)] == ["Tock"]
    assert 0 < ended.pause(noon) <= 30


def test_workers_agree_on_the_id_of_a_slot() -> None:
    slot = NOON + timedelta(minutes=5)
    one, other = Calendar(specs(Tick="5m"), NOON), Calendar(specs(Tick="5m"), NOON + timedelta(seconds=100))
    (first,), (second,) = one.due(slot), other.due(slot + timedelta(seconds=3))
    assert first.id == second.id and first.is_keyed
    (next_one,) = one.due(slot + timedelta(minutes=5))
    assert next_one.id != first.id


def test_a_slot_is_due_until_it_is_enqueued_and_of_several_the_latest_counts() -> None:
    calendar = Calendar(specs(Tick="10s", Never=None), NOON)
    calendar.enqueued(NOON)
    assert calendar.due(NOON + timedelta(seconds=9)) == []
    assert len(calendar.due(NOON + timedelta(seconds=35))) == 1
    assert len(calendar.due(NOON + timedelta(seconds=35))) == 1
    calendar.enqueued(NOON + timedelta(seconds=35))
    assert calendar.due(NOON + timedelta(seconds=36)) == []


def test_a_worker_that_starts_makes_up_for_a_young_slot_only() -> None:
    hourly = specs(Tick="1h")
    young, old = NOON + LOOK_BACK - timedelta(seconds=1), NOON + LOOK_BACK + timedelta(seconds=1)
    assert len(Calendar(hourly, young).due(young)) == 1
    assert Calendar(hourly, old).due(old) == []


def test_the_pause_ends_at_the_next_slot() -> None:
    assert Calendar(specs(Tick="10s"), NOON).pause(NOON + timedelta(seconds=4)) == 6
    assert Calendar(specs(Tick="1d"), NOON).pause(NOON) == 30
    assert not Calendar(specs(Tick=None), NOON)


def test_two_workers_run_each_slot_once(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path}/jobs.db", "tests.plugins.worker.recurring")
    start = time.monotonic()
    with site.worker(), site.worker():
        site.until(lambda: len(site.trace("tick")) >= 4)
    jobs, total = site.store.page(JobFilter(action="Tick", limit=100))
    assert total >= 4
    assert total <= time.monotonic() - start + 2, "one a second"
    assert {job.trys for job in jobs} <= {0, 1}
    assert len(site.trace("tick")) == len({line[1] for line in site.trace("tick")})
    site.close()
