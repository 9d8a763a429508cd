"""What ``densefog-serve`` serves: an API, a worker, another API, a dict of routes."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.integration.conftest import Start
from tests.integration.process import data, eventually, post


def statuses(folder: Path) -> dict[str, tuple[str, int]]:
    """Return status and tries of each job, by id."""
    connection = sqlite3.connect(folder / "densefog.db")
    rows = connection.execute("SELECT id, status, trys FROM job").fetchall()
    connection.close()
    return {job_id: (status, trys) for job_id, status, trys in rows}


def test_api_and_worker_as_two_processes(start: Start, tmp_path: Path):
    address = start("api").address()
    created = data(address, "CreateVolumes", size=10, count=3)
    assert statuses(tmp_path) == {created["jobId"]: ("pending", 0)}
    connection = sqlite3.connect(tmp_path / "densefog.db")
    connection.execute(
        "INSERT INTO job SELECT 'job-strange000', project_id, 'Strange', status, error, result, params, updated, "
        "created, run_at, try_period, try_max, trys FROM job"
    )
    connection.commit()
    connection.close()

    worker = start("worker")
    worker.line(r"worker runs jobs of \d+ actions")
    eventually(lambda: statuses(tmp_path)[created["jobId"]] == ("finished", 1), "the end of the job")
    volumes = data(address, "DescribeVolumes")["volumeSet"]
    assert [volume["status"] for volume in volumes] == ["available"] * 3

    worker.line("jobs of action Strange wait: no installed package handles it")
    again = data(address, "CreateVolumes", size=1)["jobId"]
    eventually(lambda: statuses(tmp_path)[again] == ("finished", 1), "the end of the second job")
    assert statuses(tmp_path)["job-strange000"] == ("pending", 0)
    assert worker.log.count("Strange") == 1


def test_workers_share_the_actions_out(start: Start, tmp_path: Path) -> None:
    """What one does not take, it does not touch; another does."""
    address = start("api").address()
    volumes, instances = (data(address, name, **params)["jobId"] for name, params in (
        ("CreateVolumes", {"size": 1}), ("CreateInstances", {}),
    ))
    only = start("worker", "--only", "CreateVolumes,DeleteVolumes")
    only.line(r"worker runs jobs of 2 actions")
    eventually(lambda: statuses(tmp_path)[volumes] == ("finished", 1), "the end of the job")
    assert statuses(tmp_path)[instances] == ("pending", 0)
    start("worker", "--except", "CreateVolumes")
    eventually(lambda: statuses(tmp_path)[instances] == ("finished", 1), "the end of the other")


def test_the_manage_api_serves_its_own_actions_only(start: Start, cloud: str):
    manage = start("api", "--api", "manage").address()
    assert data(manage, "DescribeStrays") == {"strays": {"volume": [], "instance": []}}
    assert post(manage, "CreateVolumes", size=1)["retCode"] == 4000
    assert post(cloud, "DescribeStrays")["retCode"] == 4000


ROUTES = """
from densefog_core import iaas_error, request

def hello(params):
    return {"hello": params["name"], "action": request.action}

def refuse():
    raise iaas_error.ResourceNotFound("vol-9")

routes = {"Hello": hello, "Refuse": refuse}
"""


def test_a_dict_of_routes_is_served_beside_what_is_installed(start: Start, tmp_path: Path):
    (tmp_path / "shop.py").write_text(ROUTES)
    address = start("api", "shop:routes").address()
    assert data(address, "Hello", name="Ada") == {"hello": "Ada", "action": "Hello"}
    assert post(address, "Refuse")["data"]["resourceId"] == "vol-9"
    assert data(address, "DescribeVolumes")["total"] == 0


def test_a_settings_file_and_log_files(start: Start, tmp_path: Path):
    (tmp_path / "densefog.toml").write_text(
        f'http_status = "map"\nlog_dir = "{tmp_path}/logs"\nlog_format = "json"\ntrusted_proxies = ["127.0.0.1"]\n'
        "[plugins.wsgi]\nbody_limit = 100\n"
    )
    address = start("api").address()
    for params, status in (({}, 400), ({"text": "x" * 100}, 413)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(address, "Nope", **params)
        assert refused.value.code == status
        refused.value.close()
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-Id": "through-a-proxy"}
    body = b'{"action": "DescribeVolumes"}'
    with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as reply:
        assert reply.headers["X-Request-Id"] == "through-a-proxy"
    lines = [json.loads(line) for line in (tmp_path / "logs/public/access.log").read_text().splitlines()]
    (line,) = [line for line in lines if line["context"] == "through-a-proxy"]
    assert (line["address"], line["action"], line["retCode"]) == ("203.0.113.9", "DescribeVolumes", 0)
