"""ResourceModel: whose it is, what state it is in, and who wins a race for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from densefog_core.errors import iaas_error
from densefog_core.testing import TestApp
from densefog_plugins.models import session, transaction
from densefog_plugins.models.sessions import close_session, savepoint
from tests.plugins.models.cloud import NOON, A, B, Disk, Plain, add, statements, status_of

MODELS = pytest.mark.parametrize("model", [Disk, Plain])


# -- get -------------------------------------------------------------------------------------------------------


@MODELS
def test_a_project_gets_what_it_owns(app: TestApp, model: type[Disk]) -> None:
    ids = add(3, model)
    assert model.get(ids[0], project_id=A).id == ids[0]
    assert [one.id for one in model.get_many(ids[::-1], project_id=A)] == ids[::-1]
    assert model.get(ids[1]).project_id == A


@MODELS
def test_what_is_not_there_is_4104_and_what_is_anothers_4103(app: TestApp, model: type[Disk]) -> None:
    (one,) = add(1, model)
    with pytest.raises(iaas_error.ResourceNotFound) as absent:
        model.get("r-none", project_id=A)
    with pytest.raises(iaas_error.ResourceNotBelongsToProject) as foreign:
        model.get(one, project_id=B)
    assert (absent.value.ret_code, absent.value.data) == (4104, {"resourceId": "r-none"})
    assert (foreign.value.ret_code, foreign.value.data) == (4103, {"resourceId": one})


def test_a_setting_makes_both_4104_so_that_ids_cannot_be_probed(app: TestApp) -> None:
    (one,) = add()
    app.config.apply(hide_foreign_resources=True)
    try:
        with statements(app) as seen, pytest.raises(iaas_error.ResourceNotFound):
            Disk.get(one, project_id=B)
        assert len(seen) == 1
    finally:
        app.config.apply(hide_foreign_resources=False)


def test_one_foreign_id_of_many_refuses_all(app: TestApp) -> None:
    mine, theirs = add(2), add(1, project_id=B)
    with pytest.raises(iaas_error.ResourceNotBelongsToProject) as foreign:
        Disk.get_many([*mine, *theirs], project_id=A)
    assert foreign.value.data == {"resourceId": theirs[0]}


def test_a_foreign_row_is_not_locked(app: TestApp) -> None:
    (one,) = add()
    with statements(app) as seen, transaction(), pytest.raises(iaas_error.ResourceNotBelongsToProject):
        with savepoint():
            Disk.get(one, project_id=B, lock=True)
    assert "project_id = " in seen[0]
    assert "FOR UPDATE" not in seen[1]


def test_an_id_in_other_letters_is_another_id(app: TestApp) -> None:
    add()
    with transaction() as found:
        found.add(Disk(id="r-Abc", project_id=A, status="available"))
    for twin in ("r-aBC", "R-ABC", "r-Abc "):
        with pytest.raises(iaas_error.ResourceNotFound):
            Disk.get(twin, project_id=A)
    with pytest.raises(iaas_error.BaseResourceException):
        Disk.get("r-Abc", project_id=A.upper())


def test_an_id_is_a_value_and_never_part_of_the_statement(app: TestApp) -> None:
    add()
    with pytest.raises(iaas_error.ResourceNotFound):
        Disk.get("x' OR '1'='1", project_id=A)


def test_a_locked_row_is_read_anew(app: TestApp) -> None:
    (one,) = add()
    stale = Disk.get(one)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(_rename, one, "new").result()
    assert stale.name == ""
    with transaction():
        assert Disk.get(one, lock=True).name == "new"


def _rename(one: str, name: str) -> None:
    with transaction() as found:
        found.execute(update(Disk).where(Disk.id == one).values(name=name))


# -- state -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("creating", iaas_error.ResourceIsBusy),
        ("deleted", iaas_error.ResourceIsDeleted),
        ("ceased", iaas_error.ResourceIsDeleted),
        ("error", iaas_error.ResourceIsInError),
    ],
)
def test_a_resource_that_is_not_available_says_why(status: str, error: type[iaas_error.BaseIaasException]) -> None:
    with pytest.raises(error) as raised:
        Plain(id="r-1", project_id=A, status=status).must_be_available()
    assert raised.value.ret_code == 4105


def test_an_available_resource_is_neither_busy_nor_deleted_nor_broken() -> None:
    one = Plain(id="r-1", project_id=A, status="available")
    one.must_be_available()
    one.must_belongs_project(A)
    assert not (one.is_busy() or one.is_deleted() or one.is_error())
    with pytest.raises(iaas_error.ResourceNotBelongsToProject):
        one.must_belongs_project(B)


def test_new_ids_have_the_prefix_of_their_class() -> None:
    ids = {Disk.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(one.startswith("dsk-") and len(one) == 12 for one in ids)


# -- transition ------------------------------------------------------------------------------------------------


@MODELS
def test_a_transition_is_in_the_database_and_in_the_object(app: TestApp, model: type[Disk]) -> None:
    (one,) = add(1, model)
    with transaction():
        found = model.get(one)
        found.transition("attaching", from_=("available", "detached"))
        assert found.status == "attaching"
    assert status_of(one, model) == "attaching"


@MODELS
def test_a_transition_from_another_state_is_4105_and_changes_nothing(app: TestApp, model: type[Disk]) -> None:
    (one,) = add(1, model)
    with transaction(), pytest.raises(iaas_error.ResourceActionForbiden) as refused:
        model.get(one).transition("attached", from_=("attaching",))
    assert refused.value.data == {"resourceId": one}
    assert status_of(one, model) == "available"


def test_a_transition_from_what_somebody_else_changed_is_4105_and_the_object_says_what_it_is_now(app: TestApp) -> None:
    (one,) = add()
    found = Disk.get(one)
    session.commit()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: Disk.get(one).transition("deleting")).result()
    with pytest.raises(iaas_error.ResourceActionForbiden):
        found.transition("attaching")
    assert found.status == "deleting"


def test_of_many_that_race_for_a_transition_one_wins(app: TestApp) -> None:
    (one,) = add()
    start = threading.Barrier(8)

    def race(number: int) -> bool:
        found = Disk.get(one)
        close_session()
        start.wait(5)
        try:
            with transaction():
                found.transition(f"taking{number % 4}", from_=("available",))
        except iaas_error.ResourceActionForbiden:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(race, range(8))) == 1


def test_a_transition_outside_of_a_transaction_commits_itself(app: TestApp) -> None:
    (one,) = add()
    Disk.get(one).transition("attaching")
    close_session()
    assert status_of(one) == "attaching"


def test_a_transition_that_is_rolled_back_is_undone_in_the_object_too(app: TestApp) -> None:
    (one,) = add()
    with transaction() as found:
        disk = Disk.get(one)
        with pytest.raises(ValueError), savepoint():
            disk.transition("attaching")
            raise ValueError
        assert disk.status == "available"
        with pytest.raises(ValueError), savepoint():
            with transaction():
                disk.transition("deleting")
            raise ValueError
        assert disk.status == "available"
        found.flush()
    assert status_of(one) == "available"


def test_a_transition_takes_other_changes_along(app: TestApp) -> None:
    (one,) = add()
    with transaction():
        disk = Disk.get(one)
        disk.name = "new"
        disk.transition("attaching")
    close_session()
    found = Disk.get(one)
    assert (found.name, found.status) == ("new", "attaching")


def test_a_soft_delete_keeps_the_row_and_works_once(app: TestApp) -> None:
    (one,) = add()
    with transaction():
        Disk.get(one, project_id=A).soft_delete()
    close_session()
    assert Disk.get(one).is_deleted()
    with pytest.raises(iaas_error.ResourceIsDeleted):
        Disk.get(one).must_be_available()


# -- times -----------------------------------------------------------------------------------------------------


def test_created_stays_and_updated_follows_every_change(app: TestApp) -> None:
    (one,) = add(created=NOON, updated=NOON)
    with transaction():
        Disk.get(one).transition("attaching")
    close_session()
    moved = Disk.get(one)
    assert moved.created == NOON
    assert moved.updated != NOON
    with transaction() as found:
        found.execute(update(Disk).values(updated=NOON + timedelta(days=1)))
        Disk.get(one, lock=True).name = "x"
    close_session()
    assert Disk.get(one).updated < NOON
