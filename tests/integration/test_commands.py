"""``densefog``, as operators type it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Start, install
from tests.integration.process import DENSEFOG, data, eventually, run
from tests.integration.test_roles import statuses


class Shell:
    """Types ``densefog`` in an application's folder, with ``effects`` installed."""

    def __init__(self, folder: Path, site: str) -> None:
        self.folder = folder
        self._variables = {"PYTHONPATH": site}

    def type(self, *words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        ended = run(*DENSEFOG, *words, cwd=self.folder, **{**self._variables, **variables})
        assert ended.returncode == code, f"{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
        return ended

    def table(self, *words: str) -> list[list[str]]:
        """Return a table's lines, each cut where two spaces or more stand."""
        return [re.split(r" {2,}", line) for line in self.type(*words).stdout.splitlines()]

    def json(self, *words: str) -> Any:
        return json.loads(self.type(*words, "--json").stdout)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, effects: str) -> Shell:
    return Shell(tmp_path_factory.mktemp("commands"), effects)


def test_plugins(shell: Shell):
    head, *lines = shell.table("-p", "no:sms", "plugins")
    assert head == ["NAME", "GROUP", "DISTRIBUTION", "VERSION", "STATE", "HOOKS", "REASON"]
    states = {(line[0], line[1]): line[2:5] for line in lines}
    assert states["wsgi", "densefog.plugins"] == ["densefog", "1.0.0", "loaded"]
    assert states["effects", "densefog.jobs"] == ["effects", "1.0", "loaded"]
    assert states["sms", "densefog.plugins"][-1] == "disabled"
    rows = shell.json("plugins")
    (effects,) = [row for row in rows if (row["name"], row["group"]) == ("effects", "densefog.plugins")]
    assert (effects["state"], effects["hooks"], effects["reason"]) == ("loaded", ["job_event"], "")


def test_a_plugin_that_is_broken_says_why(shell: Shell, tmp_path: Path):
    site = install(tmp_path / "site", "ruin", densefog_plugins="ruin = ruin")
    (site / "ruin.py").write_text("raise RuntimeError('out of order')\n")
    rows = json.loads(run(*DENSEFOG, "plugins", "--json", cwd=tmp_path, PYTHONPATH=str(site)).stdout)
    (ruin,) = [row for row in rows if row["name"] == "ruin"]
    assert (ruin["state"], ruin["distribution"]) == ("broken", "ruin")
    assert "out of order" in ruin["reason"]


def test_actions(shell: Shell):
    head, *lines = shell.table("actions")
    assert head == ["API", "ACTION", "EFFECT", "GUARD", "SUMMARY", "OWNER"]
    summary = "Wait, as a handler that asks a provider does."
    assert ["public", "Nap", "change", "-", summary, "action 'effects' of effects 1.0"] in lines
    rows = shell.json("actions")
    assert {row["api"] for row in rows if row["action"] == "DescribeJobs"} == {"public", "manage"}
    assert [row["api"] for row in rows if row["action"] == "DescribeStrays"] == ["manage"]


def test_actions_show(shell: Shell):
    shown = json.loads(shell.type("actions", "show", "CreateVolumes").stdout)
    assert shown["action"] == "CreateVolumes"
    assert "size" in json.dumps(shown["params"])
    refused = shell.type("actions", "show", "CreateVolume", code=78)
    assert "CreateVolumes" in refused.stderr


def test_call(shell: Shell, cloud: str):
    ended = shell.type("call", "DescribeVolumes", "limit=1", 'status=["gone"]', "--url", cloud)
    assert json.loads(ended.stdout)["data"] == {"limit": 1, "offset": 0, "total": 0, "volumeSet": []}
    refused = shell.type("call", "CreateVolumes", "size=none", "--url", cloud, code=1)
    assert json.loads(refused.stdout)["retCode"] == 4110
    nobody = shell.type("call", "DescribeVolumes", "--url", "http://127.0.0.1:1/", code=1)
    assert "is densefog-serve running?" in nobody.stderr
    assert "KEY=VALUE" in shell.type("call", "DescribeVolumes", "limit", code=2).stderr


def test_db(shell: Shell, tmp_path: Path):
    address = f"sqlite:///{tmp_path}/cloud.db"
    assert "densefog db init" in shell.type("db", "check", code=78, DB_URL=address).stderr
    made = shell.type("db", "init", DB_URL=address).stdout
    assert "created table job" in made and "created table volume" in made
    assert "as it should be" in shell.type("db", "check", DB_URL=address).stdout
    connection = sqlite3.connect(tmp_path / "cloud.db")
    connection.execute("DROP INDEX ix_job_claim")
    connection.commit()
    assert "CREATE INDEX ix_job_claim" in shell.type("db", "check", DB_URL=address).stdout
    connection.execute("ALTER TABLE job DROP COLUMN try_period")
    connection.commit()
    connection.close()
    assert "table job has no column try_period" in shell.type("db", "check", code=78, DB_URL=address).stderr


@pytest.mark.parametrize("command", [("jobs", "list"), ("jobs", "cancel", "job-1"), ("jobs", "stats"), ("db", "init")])
def test_a_database_that_cannot_be_used_is_one_line(shell: Shell, tmp_path: Path, command: tuple[str, ...]):
    address = f"sqlite:///{tmp_path}/none/cloud.db"
    (line,) = shell.type(*command, code=78, DB_URL=address).stderr.splitlines()
    assert line.startswith(f"densefog: database {address} cannot be used: ")
    if command != ("db", "init"):
        (line,) = shell.type(*command, code=78, DB_URL=f"sqlite:///{tmp_path}/empty.db").stderr.splitlines()
        assert line.endswith("run: densefog db init")


class TestJobs:
    """One failed, one that waits for an hour, one that ran; and what an operator does with them."""

    @pytest.fixture
    def ids(self, start: Start, tmp_path: Path) -> dict[str, str]:
        (tmp_path / "gate").touch()
        process = start()
        address = process.address()
        failed, gated = (data(address, "StartJobs", job=name)["jobIds"][0] for name in ("Failing", "Gated"))
        eventually(lambda: statuses(tmp_path)[gated] == ("finished", 1), "the end of a job")
        eventually(lambda: statuses(tmp_path)[failed][1] == 1, "the first try of the other")
        process.end()
        connection = sqlite3.connect(tmp_path / "densefog.db")
        connection.execute("UPDATE job SET status = 'error', error = 'no luck' WHERE id = ?", (failed,))
        connection.execute(
            "INSERT INTO job SELECT 'job-waits00000', project_id, action, 'pending', NULL, NULL, params, updated, "
            "created, datetime(run_at, '+1 hour'), try_period, try_max, 0 FROM job WHERE id = ?",
            (gated,),
        )
        connection.commit()
        connection.close()
        return {"failed": failed, "finished": gated, "waiting": "job-waits00000"}

    def test_an_operators_morning(self, ids: dict[str, str], tmp_path: Path, effects: str):
        shell = Shell(tmp_path, effects)
        head, *lines = shell.table("jobs", "list", "--status", "error")
        assert head == ["JOB ID", "ACTION", "STATUS", "TRIES", "RUN AT", "UPDATED", "ERROR"]
        assert [(line[0], line[1], line[2], line[3], line[-1]) for line in lines] == [
            (ids["failed"], "Failing", "error", "1/5", "no luck")
        ]
        assert {row["job_id"]: row["status"] for row in shell.json("jobs", "list")} == {
            ids["failed"]: "error", ids["finished"]: "finished", ids["waiting"]: "pending",
        }  # fmt: skip

        assert ["status", "error"] in shell.table("jobs", "show", ids["failed"])
        shown = shell.json("jobs", "show", ids["finished"])
        assert (shown["status"], shown["params"], set(shown["result"])) == ("finished", {"n": 0}, {"pid"})

        assert ["Failing", "error", "1"] in shell.table("jobs", "stats")

        assert ids["failed"] in shell.type("jobs", "retry", "--failed", "Failing").stdout
        assert statuses(tmp_path)[ids["failed"]][0] == "pending"
        assert ids["waiting"] in shell.type("jobs", "run-now", ids["waiting"]).stdout
        stats = shell.json("jobs", "stats")
        assert {"action": "Gated", "status": "finished", "count": 1} in stats["jobs"]
        assert stats["oldest_pending_seconds"] >= 0
        cancelled = shell.type("jobs", "cancel", ids["waiting"], ids["finished"], code=1)
        assert f"{ids['waiting']} cancelled" in cancelled.stdout
        assert f"left alone, unknown, or ended: {ids['finished']}" in cancelled.stderr
        assert statuses(tmp_path)[ids["waiting"]] == ("error", 0)

    def test_a_job_whose_secrets_are_gone_is_not_retried(self, ids: dict[str, str], tmp_path: Path, effects: str):
        connection = sqlite3.connect(tmp_path / "densefog.db")
        connection.execute("UPDATE job SET params = ? WHERE id = ?", ('{"password": "********"}', ids["failed"]))
        connection.commit()
        connection.close()
        refused = Shell(tmp_path, effects).type("jobs", "retry", ids["failed"], ids["finished"], code=1)
        assert refused.stdout == f"{ids['finished']} retried\n"
        assert f"with secrets that are not stored any more: {ids['failed']}" in refused.stderr
        assert statuses(tmp_path)[ids["failed"]][0] == "error"
