"""Quotas: never one too many, never one lost, whatever happens at the same time or is rolled back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete, func, select

import densefog_plugins.models.quotas as plugin
from densefog_core.errors.project_error import ResourceQuotaNotEnough
from densefog_core.testing import TestApp
from densefog_plugins.models import session, transaction
from densefog_plugins.models.database.database import database
from densefog_plugins.models.quotas import consume_quota, release_quota, set_quota
from densefog_plugins.models.quotas.table import Quota
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import A, B, Disk, statements


@transaction
def create_disks(params: dict[str, Any]) -> dict[str, Any]:
    consume_quota(A, disk=params["count"])
    disks = [Disk(id=Disk.new_id(), project_id=A, status="creating") for _ in range(params["count"])]
    session.add_all(disks)
    return {"diskIds": [disk.id for disk in disks]}


PARTS = {"plugins": [plugin], "actions": {"CreateDisks": create_disks}}


@pytest.fixture(autouse=True)
def _empty(app: TestApp) -> None:
    # After the start: quotas are counted, and calls need no key.
    app.config.apply(quotas_enabled=True)
    with database(app).engine.begin() as connection:
        connection.execute(delete(Quota))


def standing(resource: str = "disk", project_id: str = A) -> tuple[int, int] | None:
    close_session()
    query = select(Quota.quota, Quota.used).where(Quota.project_id == project_id, Quota.resource == resource)
    row = session.execute(query).first()
    close_session()
    return None if row is None else (row.quota, row.used)


def test_what_is_taken_and_given_back_is_counted(app: TestApp) -> None:
    set_quota(A, "disk", 10)
    consume_quota(A, disk=3)
    consume_quota(A, disk=7)
    assert standing() == (10, 10)
    release_quota(A, disk=4)
    assert standing() == (10, 6)
    assert standing(project_id=B) is None


def test_too_many_are_4113_with_quota_used_and_want(app: TestApp) -> None:
    set_quota(A, "disk", 5)
    consume_quota(A, disk=3)
    reply = app.api().post({"action": "CreateDisks", "count": 3})
    assert reply["retCode"] == 4113
    assert {name: reply["data"][name] for name in ("quota", "used", "want")} == {"quota": 5, "used": 3, "want": 3}
    assert standing() == (5, 3)
    assert session.scalar(select(func.count()).select_from(Disk)) == 0


def test_several_quotas_are_taken_together_or_not_at_all(app: TestApp) -> None:
    set_quota(A, "disk", 5)
    set_quota(A, "gigabytes", 100)
    with transaction(), pytest.raises(ResourceQuotaNotEnough) as refused:
        consume_quota(A, disk=1, gigabytes=101)
    assert "gigabytes" in str(refused.value)
    assert (standing(), standing("gigabytes")) == ((5, 0), (100, 0))
    consume_quota(A, disk=1, gigabytes=100)
    assert (standing(), standing("gigabytes")) == ((5, 1), (100, 100))


def test_a_rollback_gives_back_what_was_taken(app: TestApp) -> None:
    set_quota(A, "disk", 5)
    with pytest.raises(ValueError), transaction():
        consume_quota(A, disk=5)
        raise ValueError
    assert standing() == (5, 0)


def test_what_has_no_quota_is_counted_all_the_same(app: TestApp) -> None:
    consume_quota(A, disk=1000)
    assert standing() == (-1, 1000)
    set_quota(A, "disk", 10)
    with pytest.raises(ResourceQuotaNotEnough):
        consume_quota(A, disk=1)


def test_without_projects_nothing_is_counted(app: TestApp) -> None:
    set_quota(A, "disk", 1)
    app.config.apply(quotas_enabled=False)
    with statements(app) as seen:
        consume_quota(A, disk=5)
        release_quota(A, disk=5)
    assert seen == []
    assert standing() == (1, 0)


def test_the_default_quota_is_a_setting(app: TestApp) -> None:
    app.config.apply(quotas_default=2)
    try:
        consume_quota(A, disk=2)
        with pytest.raises(ResourceQuotaNotEnough):
            consume_quota(A, disk=1)
        with pytest.raises(ResourceQuotaNotEnough):
            consume_quota(A, cpus=3)
    finally:
        app.config.apply(quotas_default=-1)


def test_giving_back_too_much_is_logged_and_stops_at_nothing(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    consume_quota(A, disk=1)
    release_quota(A, disk=3)
    assert standing() == (-1, 0)
    assert "gives back 3 disk" in caplog.text


def test_taking_is_one_statement(app: TestApp) -> None:
    set_quota(A, "disk", 10)
    with statements(app) as seen:
        consume_quota(A, disk=1)
    assert len(seen) == 1


@pytest.mark.parametrize("prepared", [True, False])
def test_fifty_parallel_creations_against_a_quota_of_ten_give_exactly_ten(app: TestApp, prepared: bool) -> None:
    app.config.apply(quotas_default=10)
    if prepared:
        set_quota(A, "disk", 10)
    api, start = app.api(), threading.Barrier(50)

    def create(_: int) -> int:
        start.wait(20)
        code: int = api.post({"action": "CreateDisks", "count": 1})["retCode"]
        return code

    try:
        with ThreadPoolExecutor(50) as threads:
            codes = sorted(threads.map(create, range(50)))
    finally:
        app.config.apply(quotas_default=-1)
    assert codes == [0] * 10 + [4113] * 40
    assert session.scalar(select(func.count()).select_from(Disk)) == 10
    assert standing() == (10, 10)


def test_quotas_in_any_order_do_not_deadlock(app: TestApp) -> None:
    def work(number: int) -> None:
        for _ in range(10):
            wanted = {"disk": 1, "cpus": 2} if number % 2 else {"cpus": 2, "disk": 1}
            consume_quota(A, **wanted)
            release_quota(A, **wanted)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert (standing(), standing("cpus")) == ((-1, 0), (-1, 0))
