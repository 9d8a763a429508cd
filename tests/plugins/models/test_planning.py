"""Plans: what a call would do, and nothing left of it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct
from sqlalchemy import delete, insert, select, update

import densefog_plugins.models.idempotency as idempotency
import densefog_plugins.models.operations as operations
from densefog_core import action, enqueue
from densefog_core.testing import TestApp
from densefog_plugins.models import batch, savepoint, session, transaction
from densefog_plugins.models.database.database import database
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import A, Disk, Own, Plain, add, status_of


class Make(Struct):
    count: int = 1
    how: str = ""


def disks(count: int) -> list[Disk]:
    made = [Disk(id=Disk.new_id(), project_id=A, status="creating") for _ in range(count)]
    session.add_all(made)
    return made


def misbehave(how: str) -> None:
    """Do what a plan cannot undo, and swallow what comes of it."""
    try:
        match how:
            case "commit":
                session.commit()
            case "run":
                database().run(lambda connection: connection.execute(update(Disk).values(name="no")))
            case "socket":
                with socket.socket() as outside:
                    outside.connect(("127.0.0.1", 9))
            case "process":
                subprocess.run(["true"], check=False)
    except Exception:
        pass


@action(effect="create", operation=("disk", "diskIds"), idempotent=True)
@transaction
def make_disks(params: Make) -> dict[str, Any]:
    made = disks(params.count)
    misbehave(params.how)
    return {"jobId": enqueue("MakeDisks", {"resource_ids": [one.id for one in made]}), "diskIds": [d.id for d in made]}


@action(effect="change")
def rename_all(params: dict[str, Any]) -> dict[str, Any]:
    with transaction():
        session.execute(update(Disk).where(Disk.project_id == A).values(name="new"))
        session.execute(insert(Plain), [{"id": "p-1", "project_id": A, "status": "active"}])
        first = session.scalars(select(Disk).order_by(Disk.id).limit(1)).one()
        first.name = "first"
    return {}


@action(effect="destroy", operation=("disk", "diskIds"))
def drop_disks(params: dict[str, Any]) -> dict[str, Any]:
    def drop(disk_id: str) -> None:
        disk = Disk.get(disk_id, lock=True)
        disk.transition("deleting", from_=("available",))
        if disk.name == "kept":
            raise ValueError("kept")

    return batch(params["diskIds"], drop, "diskIds", job="DropDisks")


@action(effect="destroy")
@transaction
def purge(params: dict[str, Any]) -> dict[str, Any]:
    session.delete(Disk.get(params["diskId"]))
    session.execute(delete(Disk).where(Disk.name == "old"))
    try:
        with savepoint():
            disks(3)
            raise ValueError("undone")
    except ValueError:
        pass
    return {}


@action(effect="change", dry_run=False)
def says_so(params: dict[str, Any]) -> dict[str, Any]:
    return {"said": True}


def guessed(params: dict[str, Any]) -> dict[str, Any]:
    return {}


PARTS = {
    "plugins": [idempotency, operations],
    "actions": {
        "MakeDisks": make_disks, "RenameAll": rename_all, "DropDisks": drop_disks, "Purge": purge, "SaysSo": says_so,
        "Guessed": guessed,
    },
    "jobs": {"MakeDisks": lambda params: None, "DropDisks": lambda params: None},
}  # fmt: skip


def everything(app: TestApp) -> dict[str, list[Any]]:
    """Return all rows of all tables."""
    from densefog_plugins.models.base import Base

    close_session()
    with database(app).engine.connect() as connection:
        tables = [*Base.metadata.sorted_tables, *Own.metadata.sorted_tables]
        there = set(connection.dialect.get_table_names(connection))
        return {one.name: list(connection.execute(select(one))) for one in tables if one.name in there}


@pytest.fixture
def unchanged(app: TestApp) -> Iterator[None]:
    """Nothing of the test is left in the database but what it adds by `add`."""
    before: dict[str, list[Any]] = {}

    def remember() -> None:
        before.update(everything(app))

    yield remember
    assert everything(app) == before


def planned(app: TestApp, name: str, code: int = 0, **params: Any) -> Any:
    reply = app.api().post({"action": name, "dryRun": True, **params})
    assert reply["retCode"] == code, reply
    return reply["data"]


def test_a_creation_is_counted(app, unchanged):
    """With its jobs; no id is told, and nothing is left, not even the token."""
    unchanged()
    plan = planned(app, "MakeDisks", count=2, clientToken="a-token")
    assert plan == {
        "plan": {
            "effect": "create", "create": {"disk": 2}, "change": {}, "destroy": {}, "quota": {}, "jobs": ["MakeDisks"],
            "other": {},
        }
    }  # fmt: skip


def test_a_call_that_was_carried_out_is_repeated(app):
    """It would do nothing more."""
    app.api().post({"action": "MakeDisks", "count": 2, "clientToken": "a-token"})
    plan = planned(app, "MakeDisks", count=2, clientToken="a-token")["plan"]
    assert (plan["repeated"], plan["create"], plan["jobs"]) == (True, {}, [])


def test_changes_have_ids(app, unchanged):
    """Those of the session as those of statements, each once."""
    ids = sorted(add(2))
    unchanged()
    plan = planned(app, "RenameAll")["plan"]
    assert {kind: sorted(rows) for kind, rows in plan["change"].items()} == {"disk": ids}
    assert plan["create"] == {"plain": 1}


def test_a_part_that_fails_is_not_planned(app, unchanged):
    """What a step has written before it failed is undone in the plan, too."""
    (good,), (kept,) = add(), add(name="kept")
    unchanged()
    data = planned(app, "DropDisks", 5002, diskIds=[good, kept, "none"])
    assert data["plan"]["destroy"] == {"disk": [good]}
    assert data["diskIds"] == [good]
    assert "jobId" not in data
    assert {one["resourceId"] for one in data["failures"]} == {kept, "none"}


def test_rows_that_would_go_are_destroyed(app, unchanged):
    """What a savepoint has undone is not there."""
    (one,), (old,) = add(), add(name="old")
    unchanged()
    plan = planned(app, "Purge", diskId=one)["plan"]
    assert sorted(plan["destroy"]["disk"]) == sorted([one, old])
    assert plan["create"] == {}


def test_a_call_that_would_fail_answers_its_error(app, unchanged):
    """The plan is as real as the call."""
    unchanged()
    planned(app, "Purge", 4104, diskId="dsk-none")
    planned(app, "MakeDisks", 4110, count="many")


@pytest.mark.parametrize("how", ["commit", "run", "socket", "process"])
def test_what_cannot_be_undone_is_refused(app, unchanged, how):
    """Before it is done, and even if the handler swallows the refusal."""
    unchanged()
    data = planned(app, "MakeDisks", 4110, how=how)
    assert data["errors"][0]["path"] == "/dryRun"
    assert "cannot be planned" in data["errors"][0]["message"]


def test_who_says_that_it_cannot_be_planned_is_not_called(app):
    """And neither is an action whose effect nobody has declared."""
    (error,) = planned(app, "SaysSo", 4110)["errors"]
    assert error == {"path": "/dryRun", "message": "SaysSo calls outside and cannot be planned"}
    (error,) = planned(app, "Guessed", 4110)["errors"]
    assert error == {"path": "/dryRun", "message": "Guessed does not declare its effect and cannot be planned"}


@pytest.mark.parametrize("value", [None, 1, "true", []])
def test_only_true_and_false_are_taken(app, value):
    """For all actions."""
    for name in ("MakeDisks", "SaysSo", "Guessed"):
        reply = app.api().post({"action": name, "dryRun": value})
        assert (reply["retCode"], reply["data"]["errors"][0]["path"]) == (4110, "/dryRun")


def test_false_is_as_left_out(app):
    """The call is carried out, and the handler does not see it."""
    reply = app.api().post({"action": "MakeDisks", "dryRun": False})
    assert status_of(reply["data"]["diskIds"][0]) == "creating"
    assert app.api().post({"action": "SaysSo", "dryRun": False})["data"] == {"said": True}


def test_the_document_shows_who_can_be_planned(app):
    """By a parameter."""
    specs = app.api().specs
    assert [name for name, spec in specs.items() if "dryRun" in spec.params_schema.get("properties", ())] == [
        name for name, spec in specs.items() if spec.effect_known and spec.dry_run
    ]
