"""The original README's three steps, as a program with its import names: settings, an API of routes, a worker."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.process import Process, data, eventually, post

SETTINGS = """
from densefog import config

config.setup().apply(app_root={root!r}, log_path={logs!r})
"""

API = """
import settings
from densefog import iaas_error
from densefog.common.local import get_context_id
from densefog.server import create_api


def describe_volumes(params):
    if params.get("volumeIds") == ["vol-9"]:
        raise iaas_error.ResourceNotFound("vol-9")
    return {"volumeSet": [], "context": get_context_id()}


ROUTES = {"DescribeDisks": describe_volumes}

api = create_api("public")
api.route(ROUTES)

if __name__ == "__main__":
    api.start(port=0)
"""

WORKER = """
import settings
from densefog.server import create_worker

if __name__ == "__main__":
    create_worker(pick_size=2, exec_size=4, exec_timeout=60, gevent=True).start()
"""


def test_the_three_steps(tmp_path: Path, effects: str):
    (tmp_path / "settings.py").write_text(SETTINGS.format(root=str(tmp_path), logs=str(tmp_path / "logs")))
    (tmp_path / "api.py").write_text(API)
    (tmp_path / "worker.py").write_text(WORKER)
    api = Process("api.py", cwd=tmp_path, PYTHONPATH=effects)
    worker = Process("worker.py", cwd=tmp_path, PYTHONPATH=effects)
    try:
        address = api.address()
        answer = data(address, "DescribeDisks")
        assert answer["context"].startswith("ctx-")
        refused = post(address, "DescribeDisks", volumeIds=["vol-9"])
        assert (refused["retCode"], refused["data"]["resourceId"]) == (4104, "vol-9")

        worker.line("worker runs jobs")
        (tmp_path / "gate").touch()
        (job_id,) = data(address, "StartJobs", job="Gated")["jobIds"]
        eventually(lambda: data(address, "DescribeJobs", jobIds=[job_id])["jobSet"][0]["status"] == "finished")
        for process in (api, worker):
            process.signal(signal.SIGTERM)
            assert process.wait() == 0, process.log
        assert "DescribeDisks 4104" in (tmp_path / "logs" / "public" / "access.log").read_text()
        assert "worker runs jobs" in (tmp_path / "logs" / "worker" / "normal.log").read_text()
    finally:
        api.end()
        worker.end()
