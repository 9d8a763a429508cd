"""What load balancers and process managers are told."""

from __future__ import annotations

import json
import signal
import threading

import pytest

import densefog_plugins.health
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import MemoryStore, TestApp, make_app
from tests.integration.process import eventually
from tests.plugins.conftest import Serve


class Disk:
    """A plugin with a check."""

    wrong: str | None = None

    @hookimpl
    def densefog_health(self, kind):
        if self.wrong == "raise":
            raise OSError("no such disk")
        return {f"disk of {kind}": self.wrong}


class AwayStore(MemoryStore):
    """A store whose database is away."""

    def get(self, job_id):
        raise ConnectionError("password=hunter2 at db.internal")


def page(app: TestApp, path: str) -> tuple[int, dict[str, str]]:
    answer = app.pages[path](app.api())
    shown = json.loads(answer.body)
    assert shown["status"] == ("ok" if answer.status == 200 else "not ok")
    return answer.status, shown["checks"]


def test_a_service_without_checks_is_well():
    app = make_app(densefog_plugins.health)
    assert page(app, "/healthz") == (200, {})
    assert page(app, "/readyz") == (200, {"draining": "ok"})


@pytest.mark.parametrize(("path", "kind"), [("/healthz", "live"), ("/readyz", "ready")])
def test_one_check_that_is_not_well_makes_the_answer_503_and_says_why(path, kind):
    disk = Disk()
    app = make_app(densefog_plugins.health, disk)
    assert page(app, path)[0] == 200
    disk.wrong = "full, token=hunter2"
    status, checks = page(app, path)
    assert status == 503
    assert checks[f"disk of {kind}"].startswith("full")
    assert "hunter2" not in str(checks)
    disk.wrong = "raise"
    assert page(app, path)[0] == 503


def test_a_process_that_drains_lives_but_is_not_ready():
    app = make_app(densefog_plugins.health)
    app.draining = True
    assert page(app, "/healthz")[0] == 200
    assert page(app, "/readyz") == (503, {"draining": "shutting down"})


def test_a_store_that_is_away_is_a_matter_of_readiness_only_and_only_with_jobs():
    without = make_app(densefog_plugins.health, store=AwayStore())
    assert page(without, "/readyz")[0] == 200
    app = make_app(densefog_plugins.health, jobs={"Work": lambda: None}, store=AwayStore())
    assert page(app, "/healthz")[0] == 200
    status, checks = page(app, "/readyz")
    assert (status, checks["store"]) == (503, "the job store does not answer: ConnectionError")


def test_a_server_answers_for_a_while_that_it_is_not_ready_before_it_stops_accepting(middleware: Serve):
    server = middleware(drain_delay=1)
    ready = server.get("/readyz")
    assert (ready.status, ready.json["checks"]) == (200, {"draining": "ok", "store": "ok"})
    assert ready.headers["content-type"] == "application/json"
    assert server.send("HEAD", "/healthz").status == 200
    slow = threading.Thread(target=lambda: replies.append(server.call("Nap", seconds=1.5)))
    replies: list[dict] = []
    slow.start()
    server.process.signal(signal.SIGTERM)
    eventually(lambda: server.get("/readyz").status == 503, "not ready")
    assert server.get("/healthz").status == 200
    assert server.call("Ping")["retCode"] == 0
    slow.join()
    assert replies[0]["retCode"] == 0
    assert server.process.wait() == 0
