"""Operations: each call of a marked action leaves its row, and never costs the call anything but time."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct
from sqlalchemy import delete, func, insert, select, text

import densefog_plugins.models.operations as plugin
import densefog_plugins.models.projects as projects
from densefog_core import action
from densefog_core.actions import Request, request
from densefog_core.context import entered
from densefog_core.errors import iaas_error
from densefog_core.jobs import utcnow
from densefog_core.testing import TestApp
from densefog_plugins.models import session, transaction
from densefog_plugins.models.batches import batch
from densefog_plugins.models.database.database import database
from densefog_plugins.models.listparams import ListParams
from densefog_plugins.models.lists import describe
from densefog_plugins.models.operations import recording
from densefog_plugins.models.operations.table import Operation
from densefog_plugins.models.projects import keys
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import A, B, Disk, add, cloud, statements, status_of


class CreateDisks(Struct):
    count: Annotated[int, Meta(ge=1, le=3)]
    password: str = ""


@action(operation=("disk", "diskIds"))
@transaction
def create_disks(params: CreateDisks) -> dict[str, Any]:
    request.project_id, request.access_key = A, "thekey"
    disks = [Disk(id=Disk.new_id(), project_id=A, status="creating") for _ in range(params.count)]
    session.add_all(disks)
    return {"diskIds": [disk.id for disk in disks]}


@action(operation=("disk", "diskIds"))
def delete_disks(params: dict[str, Any]) -> dict[str, Any]:
    request.project_id = A
    return batch(params["diskIds"], lambda one: Disk.get(one).transition("deleting", from_=("available",)), "diskIds")


@action(operation=("disk", "diskId"))
def rename_disk(params: dict[str, Any]) -> Any:
    request.project_id = A
    how = params.get("how")
    if how == "refused":
        Disk.get(params["diskId"], project_id=A)
    if how == "broken":
        raise KeyError("hunter2")
    if how == "not json":
        return {"x": object()}
    if how == "exit":
        raise SystemExit
    if how == "left open":
        session.add(Disk(id=Disk.new_id(), project_id=A, status="creating"))
        session.flush()
    return {}


PARTS = {
    "plugins": [plugin],
    "actions": {
        "CreateDisks": create_disks, "DeleteDisks": delete_disks, "RenameDisk": rename_disk, "Ping": lambda: {},
    },
}


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "app" in request.fixturenames:
        with database(request.getfixturevalue("app")).engine.begin() as connection:
            connection.execute(delete(Operation))


def operations(app: TestApp, **params: Any) -> list[dict[str, Any]]:
    reply = app.api().post({"action": "DescribeOperations", "reverse": False, **params})
    assert reply["retCode"] == 0, reply
    rows: list[dict[str, Any]] = reply["data"]["operationSet"]
    return rows


def only(app: TestApp) -> dict[str, Any]:
    (row,) = operations(app)
    return row


def test_a_call_leaves_the_contracts_row(app: TestApp) -> None:
    reply = app.api().post({"action": "CreateDisks", "count": 2})
    row = only(app)
    assert row.pop("operationId").startswith("opertn-")
    assert row.pop("created") == row.pop("updated")
    assert row == {
        "projectId": A, "accessKey": "thekey", "action": "CreateDisks", "params": {"count": 2}, "resourceType": "disk",
        "resourceIds": reply["data"]["diskIds"], "retCode": 0, "retMessage": "",
    }


def test_secrets_are_redacted(app: TestApp) -> None:
    app.api().post({"action": "CreateDisks", "count": 1, "password": "hunter2"})
    assert only(app)["params"] == {"count": 1, "password": "********"}


@pytest.mark.parametrize(
    ("params", "code", "ids"),
    [
        ({"how": "refused", "diskId": "dsk-none"}, 4104, ["dsk-none"]),
        ({"how": "broken", "diskId": "dsk-1"}, 5000, ["dsk-1"]),
        ({"how": "not json"}, 5000, []),
        ({"how": "exit"}, 5000, []),
    ],
)
def test_refused_and_failed_calls_leave_theirs_as_the_client_was_answered(
    app: TestApp, params: dict[str, Any], code: int, ids: list[str]
) -> None:
    reply = app.api().post({"action": "RenameDisk", **params})
    row = only(app)
    assert reply["retCode"] == row["retCode"] == code
    assert row["resourceIds"] == ids
    assert row["retMessage"] == reply["message"][:100]
    assert "hunter2" not in str(row)


def test_a_call_that_does_not_fit_its_schema_is_one_too(app: TestApp) -> None:
    app.api().post({"action": "CreateDisks", "count": "many"})
    assert only(app)["retCode"] == 4110


def test_the_ids_of_a_partial_success_are_those_that_worked(app: TestApp) -> None:
    (good,), (bad,) = add(), add(status="creating")
    app.api().post({"action": "DeleteDisks", "diskIds": [good, bad]})
    row = only(app)
    assert (row["retCode"], row["resourceIds"]) == (5002, [good])
    app.api().post({"action": "DeleteDisks", "diskIds": [bad]})
    assert operations(app, resourceIds=[bad])[0]["retCode"] == 5001


def test_other_actions_leave_nothing_and_have_nothing_around_them(app: TestApp) -> None:
    api = app.api()
    api.post({"action": "Ping"})
    assert operations(app) == []
    assert api.specs["Ping"].operation is None
    assert not app.plugins.is_wrapped("densefog_call_action")


def test_an_action_that_is_added_to_an_api_is_recorded_too(app: TestApp) -> None:
    api = app.api()
    api.route({"Later": action(operation=("disk", "diskIds"))(lambda: {"diskIds": "dsk-1"})})
    api.post({"action": "Later"})
    assert only(app)["resourceIds"] == ["dsk-1"]


def test_a_table_that_is_gone_costs_the_call_nothing(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    engine = database(app).engine
    Operation.__table__.drop(engine)
    try:
        reply = app.api().post({"action": "CreateDisks", "count": 1})
    finally:
        Operation.__table__.create(engine)
    assert reply["retCode"] == 0
    assert status_of(reply["data"]["diskIds"][0]) == "creating"
    assert "clean-up" in caplog.text


def test_a_transaction_that_the_handler_left_open_is_not_waited_for(
    app: TestApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert app.api().post({"action": "RenameDisk", "how": "left open"})["retCode"] == 0
    assert only(app)["retCode"] == 0
    assert "open transaction" in caplog.text
    assert session.scalar(select(func.count()).select_from(Disk)) == 0


def test_what_is_too_long_or_odd_for_a_column_is_cut(app: TestApp) -> None:
    app.api().post({"action": "RenameDisk", "how": "refused", "diskId": "x\0" + "é" * 200, "text": "y" * 70_000})
    row = only(app)
    assert row["params"]["truncated"]
    assert len(row["retMessage"]) == 100


def test_a_row_costs_one_statement(app: TestApp) -> None:
    with statements(app) as seen:
        app.api().post({"action": "RenameDisk"})
    assert [statement.split()[0] for statement in seen] == ["INSERT"]


def test_a_call_in_this_process_is_recorded_too(app: TestApp) -> None:
    with pytest.raises(iaas_error.ResourceNotFound):
        app.api().call("RenameDisk", how="refused", diskId="dsk-none")
    assert only(app)["retCode"] == 4104


def test_a_call_within_a_transaction_of_this_process_is_part_of_it(app: TestApp) -> None:
    with transaction():
        app.api().call("CreateDisks", count=1)
    assert only(app)["retCode"] == 0
    with pytest.raises(ValueError), transaction():
        app.api().call("CreateDisks", count=1)
        raise ValueError
    assert only(app)["retCode"] == 0
    assert session.scalar(select(func.count()).select_from(Disk)) == 1


# -- DescribeOperations ----------------------------------------------------------------------------------------


def add_rows(*rows: dict[str, Any]) -> None:
    base = {
        "access_key": "", "params": "{}", "resource_type": "disk", "resource_ids": "[]", "ret_code": 0,
        "ret_message": "", "project_id": A, "action": "CreateDisks", "updated": utcnow(), "created": utcnow(),
    }
    with transaction() as found:
        found.execute(insert(Operation), [{**base, "id": f"opertn-{number}", **row} for number, row in enumerate(rows)])
    close_session()


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["operationId"] for row in rows)


def test_operations_are_found_by_what_they_were(app: TestApp) -> None:
    add_rows({"resource_ids": '["dsk-1","dsk-2"]'}, {"action": "DeleteDisks"}, {"resource_type": "server"})
    assert ids(operations(app, resourceIds=["dsk-2", "dsk-9"])) == ["opertn-0"]
    assert ids(operations(app, resourceIds=[])) == []
    assert ids(operations(app, actionNames=["DeleteDisks"])) == ["opertn-1"]
    assert ids(operations(app, resourceType="server")) == ["opertn-2"]
    assert ids(operations(app, operationIds=["opertn-0", "opertn-2"])) == ["opertn-0", "opertn-2"]
    assert ids(operations(app, searchWord="delete")) == ["opertn-1"]
    assert ids(operations(app, status=["x"])) == ["opertn-0", "opertn-1", "opertn-2"]


def test_a_project_sees_its_own_and_operators_see_all(app: TestApp) -> None:
    add_rows({}, {"project_id": B})
    seen = {}
    for api, project in (("public", A), ("public", B), ("manage", None)):
        scope = Request(api, "DescribeOperations", {"action": "DescribeOperations"})
        scope.project_id = project
        with entered(scope):
            rows = app.api(api).specs["DescribeOperations"].call(scope)["operationSet"]
            seen[api, project] = sorted(row.id for row in rows)
    assert (seen["public", A], seen["public", B]) == (["opertn-0"], ["opertn-1"])
    assert seen["manage", None] == ["opertn-0", "opertn-1"]


def test_old_operations_are_pruned_some_at_a_time(app: TestApp) -> None:
    now = utcnow()
    add_rows(*({"created": now - timedelta(seconds=age)} for age in (10, 100, 1000, 2000, 3000)))
    assert recording.prune(app, 500, limit=2) == 2
    assert recording.prune(app, 500) == 1
    assert recording.prune(app, 500) == 0
    assert ids(operations(app)) == ["opertn-0", "opertn-1"]


def test_recording_prunes_now_and_then(app: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    add_rows({"created": utcnow() - timedelta(seconds=100)})
    monkeypatch.setattr(recording, "PRUNE_EVERY", 0)
    app.api().post({"action": "RenameDisk"})
    assert len(operations(app)) == 2
    app.config.apply(operations_retention=60)
    try:
        app.api().post({"action": "RenameDisk"})
    finally:
        app.config.apply(operations_retention=None)
    assert "opertn-0" not in ids(operations(app))


# -- with projects ---------------------------------------------------------------------------------------------


def test_whoever_is_turned_away_leaves_no_row(tmp_path: Any) -> None:
    options = {"actions": PARTS["actions"], "projects_enabled": True}
    with cloud(f"sqlite:///{tmp_path}/x.db", plugin, projects, **options) as app:
        keys.create_project("prj")
        row, secret = keys.create_key("prj")
        assert app.api().post({"action": "RenameDisk"})["retCode"] == 4101
        assert session.scalar(select(func.count()).select_from(Operation)) == 0
        close_session()
        app.api().post({"action": "CreateDisks", "count": 0}, X_Le_Key=row.id, X_Le_Secret=secret)
        found = session.scalars(select(Operation)).one()
        assert (found.project_id, found.access_key, found.ret_code) == ("prj", row.id, 4110)


def test_an_authenticated_page_and_an_operation_take_at_most_five_statements(tmp_path: Any) -> None:
    def describe_disks(params: ListParams) -> dict[str, Any]:
        return describe(Disk, params, "diskSet", project_id=request.project_id)

    marked = action(operation=("disk", "diskIds"))(describe_disks)
    with cloud(f"sqlite:///{tmp_path}/x.db", plugin, projects, actions={"List": marked}, projects_enabled=True) as app:
        keys.create_project("prj")
        row, secret = keys.create_key("prj")
        add(30, project_id="prj")
        close_session()
        with statements(app) as seen:
            reply = app.api().post({"action": "List"}, X_Le_Key=row.id, X_Le_Secret=secret)
        assert len(reply["data"]["diskSet"]) == 20
        assert len(seen) == 3


def test_the_log_of_a_failed_row_names_no_secret(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    engine = database(app).engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE operation"))
    try:
        with caplog.at_level(logging.DEBUG):
            app.api().post({"action": "CreateDisks", "count": 1, "password": "hunter2"})
    finally:
        Operation.__table__.create(engine)
    assert "hunter2" not in caplog.text
