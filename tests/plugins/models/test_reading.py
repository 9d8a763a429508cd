"""Actions that declare that they only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from densefog_core import action
from densefog_core.testing import TestApp
from densefog_plugins.models import ListParams, describe, session, transaction
from densefog_plugins.models.sessions import _caught
from tests.plugins.models.cloud import A, Disk, add, cloud, status_of


@action(effect="read")
@transaction
def describe_by_flush(params: dict[str, Any]) -> dict[str, Any]:
    session.add(Disk(id=Disk.new_id(), project_id=A, status="creating"))
    return {}


@action(effect="read")
def describe_by_transition(params: dict[str, Any]) -> dict[str, Any]:
    Disk.get(params["diskId"]).transition("deleting")
    return {}


@action
def describe_disks(params: ListParams) -> dict[str, Any]:
    with transaction():
        Disk.get_many([], lock=True)
    return describe(Disk, params, "diskSet", project_id=A)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[TestApp]:
    actions = {"DescribeByFlush": describe_by_flush, "DescribeByTransition": describe_by_transition}
    with cloud(f"sqlite:///{tmp_path}/db", actions={**actions, "DescribeDisks": describe_disks}) as app:
        yield app


@pytest.mark.parametrize("name", ["DescribeByFlush", "DescribeByTransition"])
def test_a_read_that_writes_fails_in_tests(app, name, caplog):
    """Whichever way it writes; the log says what to declare."""
    (disk,) = add()
    assert app.api().post({"action": name, "diskId": disk})["retCode"] == 5000
    assert f"action {name} has effect 'read' and writes" in caplog.text
    assert status_of(disk) == "available"


def test_a_read_that_writes_is_logged_once(app, caplog):
    """In production, where it is done."""
    app.strict = False
    _caught.clear()
    first, second = add(2)
    for disk in (first, second):
        assert app.api().post({"action": "DescribeByTransition", "diskId": disk})["retCode"] == 0
    assert caplog.text.count("has effect 'read' and writes") == 1


def test_a_read_may_lock(app):
    """It writes nothing by that."""
    assert app.api().post(json.dumps({"action": "DescribeDisks"}))["retCode"] == 0
