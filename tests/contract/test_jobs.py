"""The job table as others know it, what a worker does with its rows, and how jobs are listed."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Server

NO_PROJECT = "2" * 22
JOB_ID = re.compile(r"job-[2-9A-HJ-NP-Za-km-z]{10}")
COLUMNS = {
    "id": "VARCHAR(32)", "project_id": "VARCHAR(32)", "action": "VARCHAR(50)", "status": "VARCHAR(10)", "error": "TEXT",
    "result": "TEXT", "params": "TEXT", "updated": "DATETIME", "created": "DATETIME", "run_at": "DATETIME",
    "try_period": "INTEGER", "try_max": "INTEGER", "trys": "INTEGER",
}  # fmt: skip


def row(path: Path, job_id: str) -> dict[str, Any]:
    """Return a job's row as another program reads it."""
    connection = sqlite3.connect(path)
    try:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone())
    finally:
        connection.close()


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def path(server: Server) -> Path:
    return server.logs.parents[1] / "densefog.db"


class TestTable:
    def test_it_has_the_thirteen_columns(self, path: Path):
        connection = sqlite3.connect(path)
        found = {name: kind for _, name, kind, *_ in connection.execute("PRAGMA table_info(job)")}
        connection.close()
        assert found == COLUMNS

    def test_a_new_row(self, server: Server, path: Path):
        params = {"resource_ids": ["vol-1", "vol-2"], "deep": {"ü": None}}
        options = {"run_in": 3600, "try_max": 7, "try_period": 9}
        job_id = server.data("StartJob", params=params, options=options)["jobId"]
        assert JOB_ID.fullmatch(job_id)
        found = row(path, job_id)
        assert json.loads(found["params"]) == params
        members = ("project_id", "action", "status", "try_period", "try_max", "trys", "result")
        assert [found[name] for name in members] == [NO_PROJECT, "Work", "pending", 9, 7, 0, ""]
        now = datetime.now(UTC).replace(tzinfo=None)
        assert abs(datetime.fromisoformat(found["created"]) - now) < timedelta(seconds=5)
        assert abs(datetime.fromisoformat(found["run_at"]) - now - timedelta(hours=1)) < timedelta(seconds=5)

    def test_a_finished_row_has_its_result_as_json_and_its_params_without_secrets(self, server: Server, path: Path):
        params = {"password": "hunter2", "nested": [{"api_key": "k"}], "size": 3}
        job_id = server.data("StartJob", params=params, options={"project_id": "prj-1"})["jobId"]
        assert "hunter2" in row(path, job_id)["params"]
        server.data("RunJobs")
        found = row(path, job_id)
        assert (found["status"], found["trys"], found["project_id"]) == ("finished", 1, "prj-1")
        assert json.loads(found["result"]) == {"done": [1, 2, {"three": None}]}
        assert json.loads(found["params"]) == {"password": "********", "nested": [{"api_key": "********"}], "size": 3}

    def test_a_last_try_that_fails_ends_the_job_with_the_text_of_the_error(self, server: Server, path: Path):
        job_id = server.data("StartJob", params={"fail": True, "token": "t0k3n"})["jobId"]
        server.data("RunJobs")
        found = row(path, job_id)
        assert (found["status"], found["trys"]) == ("error", 1)
        assert found["error"] == "the work failed, password=********"
        assert "t0k3n" not in found["params"]

    def test_a_try_that_fails_and_is_not_the_last_waits_for_try_period_times_trys(self, server: Server, path: Path):
        job_id = server.data("StartJob", params={"fail": True}, options={"try_max": 3, "try_period": 100})["jobId"]
        server.data("RunJobs")
        found = row(path, job_id)
        assert (found["status"], found["trys"]) == ("pending", 1)
        wait = datetime.fromisoformat(found["run_at"]) - datetime.fromisoformat(found["updated"])
        assert abs(wait - timedelta(seconds=100)) <= timedelta(seconds=1)
        assert server.data("RunJobs")["tries"] == 0

    def test_a_try_longer_than_its_timeout_fails_as_one(self, server: Server, path: Path):
        job_id = server.data("StartJob", job="Slow")["jobId"]
        server.data("RunJobs")
        found = row(path, job_id)
        assert found["status"] == "error"
        assert "timed out" in found["error"]

    def test_what_runs_has_the_end_of_its_id_as_context_id(self, server: Server):
        job_id = server.data("StartJob", job="WhereJob")["jobId"]
        server.data("RunJobs")
        (job,) = server.data("DescribeJobs", jobIds=[job_id])["jobSet"]
        assert job["result"] == {"context": job_id[-4:]}
        assert f"[{job_id[-4:]}]" in server.logged(f"marker in job {job_id}")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foreign") / "cloud.db"
    connection = sqlite3.connect(path)
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE job ({columns}, note TEXT, PRIMARY KEY (id))")
    for number in range(25):
        when = f"2026-01-01 00:00:{number:02}"
        run_at = f"2026-02-{28 - number:02} 00:00:00"
        connection.execute(
            f"INSERT INTO job VALUES ({', '.join('?' * 14)})",
            (f"job-theirs{number:04}", f"prj-{number % 2}", "Work" if number % 5 else "Theirs",
             "pending" if number < 10 else "finished", None, None if number < 10 else '{"n": [1]}',
             json.dumps({"resource_ids": [f"vol-{number}"], "label": f"{number}"}),
             when, when, run_at, 60, 3, 0, f"note {number}"),
        )  # fmt: skip
    connection.commit()
    connection.close()
    return path

@pytest.fixture(scope="module")
def foreign(theirs: Path) -> Iterator[Server]:
    server = Server(theirs.parent, db_url=f"sqlite:///{theirs}")
    yield server
    server.process.end()


class TestSomeoneElsesTable:
    """A table that the contract's owner created, with columns of their own, and rows that they wrote."""

    def test_a_page_has_twenty_jobs_the_newest_first(self, foreign: Server):
        page = foreign.data("DescribeJobs")
        assert (page["limit"], page["offset"], page["total"]) == (20, 0, 25)
        assert [job["jobId"] for job in page["jobSet"]] == [f"job-theirs{n:04}" for n in range(24, 4, -1)]

    def test_a_job_as_clients_see_it(self, foreign: Server):
        (job,) = foreign.data("DescribeJobs", jobIds=["job-theirs0012"])["jobSet"]
        when, run_at = "2026-01-01T00:00:12Z", "2026-02-16T00:00:00Z"
        assert job == {
            "jobId": "job-theirs0012", "projectId": "prj-0", "action": "Work", "status": "finished",
            "resourceIds": ["vol-12"], "result": {"n": [1]}, "error": "", "trys": 0, "tryMax": 3,
            "runAt": run_at, "created": when, "updated": when,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("asked", "total", "numbers"),
        [
            ({"reverse": False, "limit": 3}, 25, [0, 1, 2]),
            ({"limit": 2, "offset": 5}, 25, [19, 18]),
            ({"limit": 100}, 25, list(range(24, -1, -1))),
            ({"offset": 25}, 25, []),
            ({"jobIds": ["job-theirs0003", "job-theirs0001", "job-nobodys"]}, 2, [3, 1]),
            ({"status": ["finished"], "limit": 1}, 15, [24]),
            ({"status": ["pending", "finished"], "limit": 1}, 25, [24]),
            ({"status": ["error"]}, 0, []),
            ({"searchWord": "Theirs", "limit": 1}, 25, [24]),
            ({"searchWord": "theirs0007"}, 1, [7]),
            ({"searchWord": "%"}, 0, []),
            ({"searchWord": "heir", "status": ["pending"], "reverse": False, "limit": 1}, 10, [0]),
        ],
    )
    def test_what_is_asked_for(self, foreign: Server, asked: dict[str, Any], total: int, numbers: list[int]):
        page = foreign.data("DescribeJobs", **asked)
        assert page["total"] == total
        assert [job["jobId"] for job in page["jobSet"]] == [f"job-theirs{n:04}" for n in numbers]

    @pytest.mark.parametrize(
        "asked",
        [{"limit": 0}, {"limit": 101}, {"limit": "20"}, {"offset": -1}, {"reverse": "yes"}, {"status": "finished"},
         {"jobIds": ["job-1"] * 101}, {"searchWord": 3}],
    )  # fmt: skip
    def test_what_a_list_refuses(self, foreign: Server, asked: dict[str, Any]):
        assert foreign.call("DescribeJobs", **asked)["retCode"] == 4110

    def test_a_worker_runs_what_it_knows_by_run_at_and_leaves_the_rest_alone(self, foreign: Server, theirs: Path):
        assert foreign.data("RunJobs") == {"tries": 8, "order": list("98764321")}
        for number in range(10):
            found = row(theirs, f"job-theirs{number:04}")
            assert found["note"] == f"note {number}"
            assert (found["status"], found["trys"]) == (("finished", 1) if number % 5 else ("pending", 0))
