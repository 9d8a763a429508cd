"""Jobs that wait hold nothing that they have only read, and see what others have committed meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from densefog_core.testing import TestApp
from densefog_plugins.models import transaction
from densefog_plugins.models.database.database import database
from densefog_plugins.models.sessions import end_reads
from tests.databases import SERVER_KINDS
from tests.plugins.models.cloud import Disk

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", SERVER_KINDS)
def test_fifty_jobs_that_wait_leave_the_pool_idle(request: pytest.FixtureRequest, kind: str) -> None:
    """They have read, in a transaction and outside of one; a table that they have read can be altered."""
    with request.getfixturevalue(kind).database() as url:
        command = [sys.executable, "-m", "tests.plugins.models.resting", url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"held": 0, "altered": True}


def change(app: TestApp, status: str) -> None:
    with database(app).engine.begin() as other:
        other.execute(text("UPDATE disk SET status = :status"), {"status": status})


def test_a_held_object_is_read_again_in_a_new_transaction(app: TestApp) -> None:
    """By get, by a query and by the session's own get."""
    with transaction() as session:
        session.add(Disk(id="disk-1", project_id="p", status="creating"))
    held = Disk.get("disk-1")
    end_reads()
    for status, read in (
        ("active", lambda: Disk.get("disk-1")),
        ("error", lambda: session.query(Disk).one()),
        ("deleted", lambda: session.get(Disk, "disk-1")),
    ):
        change(app, status)
        with transaction() as session:
            assert read().status == status
            assert held.status == status


def test_what_is_changed_and_not_yet_written_survives_a_read(app: TestApp) -> None:
    """It is written before the row is read again."""
    with transaction() as session:
        session.add(Disk(id="disk-1", project_id="p", status="creating"))
    for read in (lambda: Disk.get("disk-1"), lambda: session.get(Disk, "disk-1")):
        with transaction() as session:
            held = Disk.get("disk-1")
            held.status = "active"
            assert read().status == "active"
            held.status = "creating"


def test_a_wait_keeps_what_is_written(app: TestApp) -> None:
    """Only a transaction that has read is ended: what a job wrote before it waited is undone by its failure."""
    with pytest.raises(ValueError, match="no disk"), transaction() as session:
        session.add(Disk(id="disk-1", project_id="p", status="creating"))
        session.flush()
        end_reads()
        raise ValueError("no disk")
    with transaction() as session:
        assert session.get(Disk, "disk-1") is None
