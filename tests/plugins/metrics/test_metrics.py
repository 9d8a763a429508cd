"""What Prometheus is shown."""

from __future__ import annotations

import os
import signal
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import densefog_plugins.metrics
from densefog_core.errors import ConfigError, PluginError
from densefog_core.errors.project_error import AccessKeyInvalid
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import MemoryStore, make_app
from densefog_plugins.metrics import exposition
from densefog_plugins.metrics.exposition import PrivateFile
from tests.integration.process import eventually
from tests.plugins.conftest import Serve

Samples = dict[tuple[str, ...], float]


def read(text: str) -> Samples:
    """Return the samples by name and the values of their labels."""
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.fixture
def metrics():
    """Makes applications with metrics, and shuts them down."""
    made = []

    def make(*plugins, **options):
        made.append(make_app(densefog_plugins.metrics, *plugins, metrics_enabled=True, **options))
        return made[-1]

    yield make
    for app in made:
        app.shutdown()


def shown(app) -> Samples:
    page = app.pages["/metrics"](app.api())
    assert page.content_type.startswith("text/plain; version=0.0.4")
    return read(page.body)


def divide():
    return 1 / 0


def test_without_the_setting_nothing_is_counted_and_nothing_imported():
    app = make_app(densefog_plugins.metrics)
    assert "/metrics" not in app.pages
    assert app.plugins.implementations("densefog_request_event") == []


def test_calls_are_counted_by_action_and_ret_code_and_what_clients_make_up_is_one(metrics):
    app = metrics(actions={"Ping": lambda: {}, "Divide": divide})
    api = app.api()
    for action in ("Ping", "Ping", "Divide", "Steal", "Steel", 7):
        api.post({"action": action})
    api.post(b"{")
    samples = shown(app)
    counts = {key[1:]: value for key, value in samples.items() if key[0] == "densefog_requests_total"}
    assert {frozenset(key): value for key, value in counts.items()} == {
        frozenset(("public", "Ping", "0")): 2, frozenset(("public", "Divide", "5000")): 1,
        frozenset(("public", "unknown", "4000")): 2, frozenset(("public", "unknown", "4110")): 2,
    }  # fmt: skip
    assert sum(value for key, value in samples.items() if key[0] == "densefog_request_seconds_count") == 7


def test_tries_of_jobs_are_counted_by_action_and_outcome(metrics):
    app = metrics(jobs={"Work": lambda: None, "Divide": divide})
    app.enqueue("Work")
    app.enqueue("Divide", try_max=2, try_period=0)
    app.run_jobs()
    samples = shown(app)
    assert samples["densefog_jobs_total", "Work", "finished"] == 1
    assert samples["densefog_jobs_total", "Divide", "retrying"] == 1
    assert samples["densefog_jobs_total", "Divide", "failed"] == 1
    assert samples["densefog_job_seconds_count", "Divide"] == 2


def test_the_queue_is_asked_for_its_depth_and_its_oldest_job_but_not_too_often(metrics, monkeypatch):
    asked = []

    class Counting(MemoryStore):
        def stats(self):
            asked.append(self)
            return super().stats()

    app = metrics(jobs={"Work": lambda: None}, store=Counting())
    app.enqueue("Work")
    app.enqueue("Work", run_at=timedelta(hours=1))
    for _ in range(3):
        samples = shown(app)
    assert samples["densefog_queue_jobs", "Work", "pending"] == 2
    assert samples["densefog_queue_oldest_seconds",] >= 0
    assert len(asked) == 1
    monkeypatch.setattr(exposition, "QUEUE_EVERY", 0)
    shown(app)
    assert len(asked) == 2


def test_when_the_store_is_away_the_other_figures_are_there(metrics, caplog):
    class Away(MemoryStore):
        def stats(self):
            raise ConnectionError("nobody listens")

    app = metrics(jobs={"Work": lambda: None}, actions={"Ping": lambda: {}}, store=Away())
    app.api().post({"action": "Ping"})
    samples = shown(app)
    assert total(samples, "densefog_requests_total", "Ping") == 1
    assert not any(key[0].startswith("densefog_queue") for key in samples)
    assert "no figures of the queue: ConnectionError" in caplog.text


def test_what_plugins_measure_is_shown_and_one_that_fails_takes_nothing_away(metrics, caplog):
    class Tank:
        @hookimpl
        def densefog_gauges(self):
            return {"tank_litres": 12.5}

    class Broken:
        @hookimpl
        def densefog_gauges(self):
            raise OSError("leaks")

    app = metrics(Broken(), Tank())
    assert eventually(lambda: shown(app).get(("densefog_tank_litres",))) == 12.5
    assert "failed to measure itself" in caplog.text


def test_an_applications_own_metrics_are_on_the_page(metrics):
    assert ("process_open_fds",) in shown(metrics())


def test_metrics_that_are_on_without_their_package_stop_start_up_and_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"turned on by its settings, and needs .*densefog\[metrics\]"):
        make_app(densefog_plugins.metrics, metrics_enabled=True)


def test_several_processes_need_a_folder(monkeypatch):
    monkeypatch.setenv("DENSEFOG_PROCESSES", "2")
    with pytest.raises(ConfigError, match="metrics_dir is not set"):
        make_app(densefog_plugins.metrics, metrics_enabled=True)


def test_a_folder_that_is_named_too_late_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match="PROMETHEUS_MULTIPROC_DIR"):
        make_app(densefog_plugins.metrics, metrics_enabled=True)


def test_the_gauges_of_the_dead_are_forgotten(tmp_path: Path):
    for pid in (os.getpid(), 2**22 + 1):
        (tmp_path / f"gauge_livesum_{pid}.db").touch()
        (tmp_path / f"counter_{pid}.db").touch()
    exposition.forget_the_dead(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"gauge_livesum_{os.getpid()}.db", f"counter_{os.getpid()}.db", f"counter_{2**22 + 1}.db",
    }  # fmt: skip


def total(samples: Samples, *key: str) -> float:
    return sum(value for names, value in samples.items() if names[0] == key[0] and set(key[1:]) <= set(names))


def test_each_of_several_processes_shows_the_sum_and_keeps_the_counts_of_the_dead(middleware: Serve, tmp_path: Path):
    settings = {"metrics_enabled": True, "metrics_dir": str(tmp_path / "metrics")}
    first, second = middleware(**settings), middleware(**settings)
    for server in (first, first, second):
        server.call("Ping")
    first.call("Start")
    second.call("Start", fail=True)

    def sums(server) -> list[float]:
        samples = read(server.get("/metrics").text)
        return [
            total(samples, "densefog_requests_total", "Ping"), total(samples, "densefog_request_seconds_count", "Ping"),
            total(samples, "densefog_jobs_total", "Work", "finished"),
            total(samples, "densefog_jobs_total", "Work", "failed"),
        ]  # fmt: skip

    for server in (first, second):
        eventually(lambda server=server: sums(server) == [3, 3, 1, 1], "the sum of both")
    idle = eventually(lambda: total(read(first.get("/metrics").text), "densefog_db_connections_idle"), "a pool")

    def stalled() -> bool:
        # Once is not enough: nobody watches while the gauges are measured.
        first.call("Block", seconds=0.5)
        return total(read(second.get("/metrics").text), "densefog_loop_stall_seconds_count") >= 1

    eventually(stalled, "a stall")
    second.process.signal(signal.SIGTERM)
    second.process.wait()
    assert sums(first) == [3, 3, 1, 1]
    third = middleware(**settings)
    third.call("Ping")
    assert sums(third)[0] == 4
    assert idle >= 1


class Locked:
    """A plugin that lets nobody in."""

    @hookimpl
    def densefog_authenticate(self, request):
        raise AccessKeyInvalid("")


def test_who_is_not_let_in_is_counted_by_api_and_ret_code(metrics):
    """Failed authentications of calls and of pages are one counter."""
    app = metrics(Locked())
    for _ in range(3):
        app.api().post({"action": "DescribeJobs"})
    samples = shown(app)
    assert total(samples, "densefog_authentication_failures_total", "public", "4101") == 3


def test_only_its_owner_can_read_a_file_of_counts(tmp_path):
    """Whatever the umask is: labels tell which actions there are, and how they fail."""
    before = os.umask(0)
    try:
        PrivateFile(str(tmp_path / "counter_1.db")).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "counter_1.db").stat().st_mode) == 0o600
    PrivateFile(str(tmp_path / "counter_1.db"), read_mode=True).close()
