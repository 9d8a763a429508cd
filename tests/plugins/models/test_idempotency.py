"""clientToken: whatever is sent again is done once, and answered the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct
from sqlalchemy import delete, func, insert, select, update

import densefog_plugins.models.idempotency as plugin
import densefog_plugins.models.operations as operations
from densefog_core import action, enqueue
from densefog_core.actions import Request, request
from densefog_core.context import entered
from densefog_core.jobs import JobFilter, utcnow
from densefog_core.testing import TestApp
from densefog_plugins.models import session, transaction
from densefog_plugins.models.batches import batch
from densefog_plugins.models.database.database import database
from densefog_plugins.models.idempotency import memory
from densefog_plugins.models.idempotency.table import ClientToken
from densefog_plugins.models.operations.table import Operation
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import A, Disk, add, status_of

RUNS: list[dict[str, Any]] = []
MEANWHILE: list[Any] = []


class CreateDisks(Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, le=10)] = 1
    name: str = ""
    fail: bool = False


@action(operation=("disk", "diskIds"), idempotent=True)
@transaction
def create_disks(params: CreateDisks) -> dict[str, Any]:
    RUNS.append(dict(request.params))
    disks = [Disk(id=Disk.new_id(), project_id=A, status="creating", name=params.name) for _ in range(params.count)]
    session.add_all(disks)
    session.flush()
    for callback in MEANWHILE:
        callback()
    if params.fail and len(RUNS) == 1:
        raise ValueError("hunter2")
    job_id = enqueue("CreateDisks", {"resource_ids": [disk.id for disk in disks]})
    return {"jobId": job_id, "diskIds": [disk.id for disk in disks], "accessSecret": "hunter2", "row": disks[0]}


@action(resource_key="diskIds", idempotent=True)
def delete_disks(params: dict[str, Any]) -> dict[str, Any]:
    RUNS.append(params)
    return batch(params["diskIds"], lambda one: Disk.get(one).transition("deleting", from_=("available",)), "diskIds")


@action
def echo(params: dict[str, Any]) -> dict[str, Any]:
    return params


PARTS = {
    "plugins": [operations, plugin],
    "actions": {"CreateDisks": create_disks, "DeleteDisks": delete_disks, "Echo": echo},
    "jobs": {"CreateDisks": lambda params: None},
    "db_lock_timeout": 2,
}


@pytest.fixture(autouse=True)
def _empty(app: TestApp) -> None:
    RUNS.clear()
    MEANWHILE.clear()
    app.run_jobs()
    with database(app).engine.begin() as connection:
        connection.execute(delete(ClientToken))
        connection.execute(delete(Operation))


def create(app: TestApp, token: str | None = "t-1", **params: Any) -> dict[str, Any]:
    given = params if token is None else {"clientToken": token, **params}
    reply = app.api().post({"action": "CreateDisks", **given})
    close_session()
    return reply


def count(model: type[Any] = Disk) -> int:
    found = session.scalar(select(func.count()).select_from(model)) or 0
    close_session()
    return int(found)


def test_the_same_call_again_is_done_once_and_answered_the_same(app: TestApp) -> None:
    replies = [create(app, count=2) for _ in range(3)]
    assert replies[0]["retCode"] == 0
    assert replies[0]["data"]["accessSecret"] == "hunter2"
    for reply in replies[1:]:
        assert reply == {**replies[0], "data": {**replies[0]["data"], "accessSecret": "********"}}
    assert (count(), len(RUNS)) == (2, 1)
    assert app.store.page(JobFilter(status=["pending"]))[1] == 1


def test_without_a_token_or_with_another_one_it_is_done_again(app: TestApp) -> None:
    for token in (None, None, "t-1", "t-2"):
        assert create(app, token)["retCode"] == 0
    assert count() == 4
    assert all("clientToken" not in params for params in RUNS)


def test_a_token_with_other_parameters_is_refused(app: TestApp) -> None:
    create(app, count=1)
    reply = create(app, count=2)
    assert (reply["retCode"], count()) == (4100, 1)
    assert "other parameters" in reply["message"]


def test_the_order_of_the_parameters_makes_no_difference(app: TestApp) -> None:
    first = create(app, count=1, name="x")
    assert create(app, name="x", count=1)["data"]["diskIds"] == first["data"]["diskIds"]


@pytest.mark.parametrize("token", ["", "x" * 65, 7, [], {}, None])
def test_what_is_no_token_is_4110(app: TestApp, token: Any) -> None:
    reply = app.api().post({"action": "CreateDisks", "clientToken": token})
    assert (reply["retCode"], reply["data"]["errors"][0]["path"]) == (4110, "/clientToken")


def test_another_project_or_action_may_use_the_same_token(app: TestApp) -> None:
    api = app.api()
    spec = api.specs["CreateDisks"]
    ids = set()
    for project in ("prj-1", "prj-2"):
        scope = Request("public", "CreateDisks", {"action": "CreateDisks", "clientToken": "t-1"})
        scope.project_id = project
        with entered(scope):
            ids |= set(spec.call(scope)["diskIds"])
    assert len(ids) == 2
    (disk,) = add()
    assert api.post({"action": "DeleteDisks", "diskIds": [disk], "clientToken": "t-1"})["retCode"] == 0


def test_a_call_that_failed_has_done_nothing_and_may_be_sent_again(app: TestApp) -> None:
    assert create(app, fail=True)["retCode"] == 5000
    assert (count(), count(ClientToken)) == (0, 0)
    assert create(app, fail=True)["retCode"] == 0
    assert count() == 1


def test_a_call_that_does_not_fit_its_schema_leaves_the_token_free(app: TestApp) -> None:
    assert create(app, count=99)["retCode"] == 4110
    assert create(app, count=1)["retCode"] == 0


def test_a_partial_success_is_answered_again_in_full(app: TestApp) -> None:
    (good,), (bad,) = add(), add(status="creating")
    body = {"action": "DeleteDisks", "diskIds": [good, bad], "clientToken": "t-1"}
    first, second = app.api().post(body), app.api().post(body)
    assert first["retCode"] == 5002
    for reply in (first, second):
        reply["data"].pop("exceptionTag")
    assert first == second
    assert len(RUNS) == 1
    assert status_of(good) == "deleting"


def test_when_nothing_succeeded_it_may_be_sent_again(app: TestApp) -> None:
    (one,) = add(status="creating")
    body = {"action": "DeleteDisks", "diskIds": [one], "clientToken": "t-1"}
    assert app.api().post(body)["retCode"] == 5001
    with transaction():
        Disk.get(one).transition("available")
    assert app.api().post(body)["retCode"] == 0


def test_a_twin_at_the_same_time_waits_for_the_first_reply(app: TestApp) -> None:
    inside = threading.Event()
    MEANWHILE.append(lambda: (inside.set(), threading.Event().wait(0.2)))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(create, app)
        inside.wait(5)
        second = threads.submit(create, app)
        assert first.result(10)["data"]["diskIds"] == second.result(10)["data"]["diskIds"]
    assert (count(), len(RUNS)) == (1, 1)


def test_a_twin_that_would_wait_too_long_is_told_so(app: TestApp) -> None:
    if database(app).engine.dialect.name == "sqlite":
        pytest.skip("has one lock and more patience")
    inside, go_on = threading.Event(), threading.Event()
    MEANWHILE.append(lambda: (inside.set(), go_on.wait(10)))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(create, app)
        inside.wait(5)
        told = create(app)
        go_on.set()
        assert first.result(10)["retCode"] == 0
    assert (told["retCode"], count()) == (4105, 1)
    assert "still runs" in told["message"]


def test_of_many_twins_one_is_carried_out(app: TestApp) -> None:
    start = threading.Barrier(12)

    def twin(_: int) -> dict[str, Any]:
        start.wait(10)
        return create(app)

    with ThreadPoolExecutor(12) as threads:
        replies = list(threads.map(twin, range(12)))
    assert (count(), len(RUNS)) == (1, 1)
    # InnoDB may make some of those that wait for one row a deadlock's victims; they are told to come again.
    assert {reply["retCode"] for reply in replies} <= {0, 4105}
    assert len({str(reply["data"]["diskIds"]) for reply in replies if reply["retCode"] == 0}) == 1


def test_a_twin_of_a_call_that_fails_is_carried_out(app: TestApp) -> None:
    inside = threading.Event()
    MEANWHILE.append(lambda: (inside.set(), threading.Event().wait(0.1)))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(create, app, fail=True)
        inside.wait(5)
        second = threads.submit(create, app, fail=True)
        assert (first.result(10)["retCode"], second.result(10)["retCode"]) == (5000, 0)
    assert count() == 1


def test_a_token_is_forgotten_after_its_time(app: TestApp) -> None:
    create(app)
    with transaction() as found:
        found.execute(update(ClientToken).values(expires=utcnow() - timedelta(seconds=1)))
    close_session()
    assert create(app, count=2)["retCode"] == 0
    assert count() == 3
    assert create(app, count=2)["retCode"] == 0
    assert (count(), count(ClientToken)) == (3, 1)


def test_forgotten_tokens_are_deleted(app: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction() as found:
        old = utcnow() - timedelta(seconds=1)
        found.execute(insert(ClientToken), [{"id": "old", "params_hash": "", "reply": "{}", "expires": old}])
    monkeypatch.setattr(memory, "PRUNE_EVERY", 0)
    create(app)
    assert count(ClientToken) == 1


def test_each_time_is_an_operation(app: TestApp) -> None:
    create(app)
    create(app)
    rows = session.scalars(select(Operation)).all()
    assert [row.ret_code for row in rows] == [0, 0]
    assert rows[0].resource_ids == rows[1].resource_ids
    assert "t-1" not in rows[0].params


def test_the_schema_says_that_there_is_a_token(app: TestApp) -> None:
    api = app.api()
    assert "clientToken" in api.specs["CreateDisks"].params_schema["properties"]
    assert "count" in api.specs["CreateDisks"].params_schema["properties"]
    assert "clientToken" not in str(api.specs["Echo"].params_schema)
    assert api.post({"action": "Echo", "clientToken": "t"})["data"]["clientToken"] == "t"


def test_no_token_parameter_or_secret_is_in_the_table(app: TestApp) -> None:
    create(app, "the-token", name="the-name")
    row = session.execute(select(ClientToken.__table__)).one()
    assert not any(word in str(row) for word in ("the-token", "hunter2"))
