"""Reconciling: rows say what the provider says; and the waiter with its errors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest

from densefog_core import enqueue
from densefog_core.errors import iaas_error
from densefog_core.jobs import current_job
from densefog_core.testing import TestApp
from densefog_plugins.models import session
from densefog_plugins.models.database.database import database
from densefog_plugins.models.reconciling import reconcile, reconciles
from densefog_plugins.models.sessions import close_session
from densefog_plugins.models.waiter import pauses, wait_deleted, wait_for
from tests.plugins.models.cloud import A, Disk, add, statements, status_of

FAST = {"interval": 0.001, "max_interval": 0.002, "timeout": 0.2}


class Provider:
    """Gives each resource's states one after the other; the last one stays."""

    def __init__(self) -> None:
        self.states: dict[str, list[str | None]] = {}
        self.asked: list[list[str]] = []
        self.failures: list[Exception] = []
        self.checked_out: list[int] = []
        self.app: TestApp | None = None
        self.on_second_try = ""

    def ask(self, disks: Sequence[Disk]) -> dict[str, str | None]:
        self.asked.append([disk.id for disk in disks])
        if self.app:
            self.checked_out.append(database(self.app).engine.pool.checkedout())
        if self.failures:
            raise self.failures.pop(0)
        return {disk.id: self._next(disk.id) for disk in disks}

    def _next(self, disk_id: str) -> str | None:
        if disk_id == self.on_second_try and current_job.trys > 1:
            return "available"
        states = self.states[disk_id]
        return states.pop(0) if len(states) > 1 else states[0]


PROVIDER = Provider()


@reconciles(Disk, **FAST)
def sync_disks(disks: Sequence[Disk]) -> dict[str, str | None]:
    """Ask for disks."""
    return PROVIDER.ask(disks)


PARTS = {"jobs": {"SyncDisks": sync_disks}}


@pytest.fixture(autouse=True)
def provider() -> Provider:
    PROVIDER.__init__()  # type: ignore[misc]
    return PROVIDER


def busy(provider: Provider, *states: str | None, status: str = "creating") -> str:
    (one,) = add(status=status)
    provider.states[one] = list(states)
    return one


def test_resources_are_asked_for_until_none_is_busy(app: TestApp, provider: Provider) -> None:
    slow = busy(provider, "creating", "creating", "available")
    quick = busy(provider, "available")
    result = reconcile(Disk, [slow, quick], provider.ask, **FAST)
    assert result["states"] == {slow: "available", quick: "available"}
    assert [len(asked) for asked in provider.asked] == [2, 1, 1]
    assert (status_of(slow), status_of(quick)) == ("available", "available")


def test_nobody_waits_once_the_last_one_is_settled(app: TestApp, provider: Provider) -> None:
    one = busy(provider, "available")
    with statements(app) as seen:
        reconcile(Disk, [one], provider.ask, **FAST)
    # After the row was written nothing is looked for again.
    assert seen[-1].startswith("UPDATE"), seen


def test_what_is_not_busy_is_not_asked_for(app: TestApp, provider: Provider) -> None:
    (one,) = add()
    assert reconcile(Disk, [one, "dsk-none"], provider.ask, **FAST) == {"resourceIds": [], "states": {}}
    assert provider.asked == []


@pytest.mark.parametrize(("status", "after"), [("deleting", "deleted"), ("creating", "error")])
def test_what_the_provider_does_not_know_is_deleted_or_lost(
    app: TestApp, provider: Provider, status: str, after: str
) -> None:
    one = busy(provider, None, status=status)
    reconcile(Disk, [one], provider.ask, **FAST)
    assert status_of(one) == after


def test_a_provider_that_fails_is_asked_again(
    app: TestApp, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    one = busy(provider, "available")
    provider.failures = [ConnectionError("away"), ConnectionError("away")]
    reconcile(Disk, [one], provider.ask, **FAST)
    assert len(provider.asked) == 3
    assert "away" in caplog.text


def test_what_stays_busy_is_a_timeout_that_names_it(app: TestApp, provider: Provider) -> None:
    one = busy(provider, "creating")
    with pytest.raises(iaas_error.WaitObjectTimeout, match=one):
        reconcile(Disk, [one], provider.ask, **FAST)
    assert len(provider.asked) > 1
    assert status_of(one) == "creating"


def test_what_somebody_else_took_elsewhere_is_left_alone(app: TestApp, provider: Provider) -> None:
    one = busy(provider, "available")

    def ask(disks: Sequence[Disk]) -> dict[str, str | None]:
        Disk.get(one).transition("deleted")
        close_session()
        return provider.ask(disks)

    assert reconcile(Disk, [one], ask, **FAST)["states"] == {}
    assert status_of(one) == "deleted"


def test_what_is_busy_with_something_else_is_not_this_jobs_to_end(app: TestApp, provider: Provider) -> None:
    mine, other = busy(provider, "available"), busy(provider, "available", status="attaching")
    assert reconcile(Disk, [mine, other], provider.ask, only=("creating",), **FAST)["resourceIds"] == [mine]
    assert status_of(other) == "attaching"


def test_no_transaction_is_open_while_the_provider_is_asked(app: TestApp, provider: Provider) -> None:
    provider.app = app
    one = busy(provider, "creating", "available")
    enqueue("SyncDisks", {"resource_ids": [one]}, project_id=A)
    app.run_jobs()
    assert provider.checked_out == [0, 0]


def test_more_can_be_written_with_the_new_state(app: TestApp, provider: Provider) -> None:
    one = busy(provider, "available")

    def settled(disk: Disk, state: str) -> None:
        disk.name = f"now {state}"

    reconcile(Disk, [one], provider.ask, settled=settled, **FAST)
    close_session()
    assert Disk.get(one).name == "now available"


def test_as_a_job_it_reports_progress_and_its_next_try_goes_on(app: TestApp, provider: Provider) -> None:
    done, stuck = busy(provider, "available"), busy(provider, "creating")
    job_id = enqueue("SyncDisks", {"resource_ids": [done, stuck]}, try_period=0)
    progress = []
    original = app.store.progress
    app.store.progress = lambda lease, value: progress.append(value) or original(lease, value)  # type: ignore
    provider.on_second_try = stuck
    try:
        app.run_jobs()
    finally:
        app.store.progress = original  # type: ignore[method-assign]
    row = app.store.get(job_id)
    assert row is not None
    assert (row.status, row.result["states"]) == ("finished", {stuck: "available"})
    assert progress[0] == {"done": 1, "total": 2}
    assert row.trys > 1


def test_the_handler_keeps_the_functions_name_and_home() -> None:
    assert (sync_disks.__name__, sync_disks.__module__) == ("sync_disks", __name__)
    assert sync_disks.__doc__ == "Ask for disks."


# -- the waiter ------------------------------------------------------------------------------------------------


def fetch(*states: str | None) -> object:
    left = list(states)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_waiting_ends_with_a_wanted_status() -> None:
    assert wait_for(fetch("creating", "creating", "active"), "active", **FAST) == "active"
    assert wait_for(fetch("x", "error"), ("active", "error"), busy=["x"], **FAST) == "error"


@pytest.mark.parametrize(
    ("states", "error"),
    [
        (("creating", "error"), iaas_error.WaitObjectInterrupt),
        (("creating", None), iaas_error.WaitObjectNotFound),
        (("creating",), iaas_error.WaitObjectTimeout),
    ],
)
def test_waiting_in_vain_says_why(states: tuple[str | None, ...], error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        wait_for(fetch(*states), "active", **FAST)
    assert isinstance(raised.value, iaas_error.BaseWaiterError)
    assert "active" in str(raised.value)


def test_waiting_for_the_end() -> None:
    wait_deleted(fetch("active", "deleting", None), **FAST)
    wait_deleted(fetch("deleting", "ceased"), **FAST)
    with pytest.raises(iaas_error.WaitObjectInterrupt):
        wait_deleted(fetch("deleting", "error"), **FAST)
    with pytest.raises(iaas_error.WaitObjectTimeout):
        wait_deleted(fetch("deleting"), **FAST)


def test_pauses_grow_and_end_in_time() -> None:
    started = time.monotonic()
    moments = list(pauses(0.01, 0.04, 0.2))
    assert 0.19 < time.monotonic() - started < 0.5
    gaps = [after - before for before, after in pairwise(moments)]
    assert 5 <= len(gaps) <= 12
    assert max(gaps[2:-1]) > gaps[0]


def test_the_session_is_usable_after_reconciling_in_a_request(app: TestApp, provider: Provider) -> None:
    one = busy(provider, "available")
    mine = Disk.get(one)
    reconcile(Disk, [one], provider.ask, **FAST)
    assert Disk.get(one).status == "available"
    session.refresh(Disk.get(one))
    assert mine.id == one
