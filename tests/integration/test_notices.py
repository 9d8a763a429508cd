"""Notices of a worker as it is deployed: after a crash, in a storm, and from a channel that hangs."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from densefog_core.jobs import JobFilter
from tests.plugins.models.stores import make_job
from tests.plugins.receiver import TOKEN, Receiver, answer, nothing, receiving
from tests.plugins.worker.processes import Site, stop


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A database and the jobs of `tests.integration.failing`."""
    site = Site(tmp_path, f"sqlite:///{tmp_path}/densefog.db", "tests.integration.failing")
    yield site
    site.close()


@pytest.fixture
def each_site(tmp_path: Path, database_url: str) -> Iterator[Site]:
    """The same in each kind of database."""
    site = Site(tmp_path, database_url, "tests.integration.failing")
    yield site
    site.close()


def settings(server: Receiver, **more: object) -> dict[str, object]:
    return {"NOTIFY_ALLOW_HTTP": "true", "NOTIFY_CHANNELS": "slack", "SLACK_WEBHOOK_URL": server.url(), **more}


def about(server: Receiver, word: str) -> list[str]:
    """Return the texts that Slack was sent with a word in them."""
    return [document["text"] for document in server.documents if word in document["text"]]


def test_a_kill_between_a_jobs_row_and_its_notice_loses_no_notice(each_site: Site):
    site = each_site
    with receiving() as server:
        durable = settings(server, NOTIFY_DURABLE="true")
        with site.worker(**durable) as worker:
            site.until(lambda: any(row.status == "finished" for row in site.store.page(JobFilter())[0]))
            assert stop(worker) == 0
        job_id = site.add("Fail", {"n": 1}, try_max=1)
        with site.worker(**durable, DENSEFOG_TEST_KILL="1") as worker:
            assert worker.wait(60) == -signal.SIGKILL
        assert site.row(job_id).status == "error"
        assert server.requests == []
        with site.worker(**durable):
            site.until(lambda: about(server, job_id))
    assert len(about(server, job_id)) == 1
    assert "hunter2" not in str(server.documents)


def test_1000_failing_jobs_make_at_most_5_notices_that_count_them_all(site: Site):
    with receiving() as server:
        site.store.enqueue([make_job("Fail", {"n": number}, try_max=1) for number in range(1000)])
        with site.worker(**settings(server, WORKER_EXEC_SIZE=50, WORKER_PICK_SIZE=50)) as worker:
            site.until(lambda: site.store.stats()["jobs"] == [{"action": "Fail", "status": "error", "count": 1000}])
            assert stop(worker) == 0
    assert len(server.requests) <= 5
    digest = server.documents[-1]["text"]
    assert digest.startswith("1000 notices of jobs in ")
    assert "750 x Fail failed in their last try: ValueError at failing.py:" in digest
    assert "250 x Fail failed in their last try: LookupError at failing.py:" in digest


def test_a_channel_that_hangs_holds_up_neither_jobs_nor_the_end_of_its_worker(site: Site):
    with receiving(nothing) as server:
        jobs = [site.add("Fail", {"n": number}, try_max=1) for number in range(20)]
        with site.worker(**settings(server, NOTIFY_RATE=0, DRAIN_TIMEOUT=1)) as worker:
            started = time.monotonic()
            site.until(lambda: site.ended(*jobs))
            assert time.monotonic() - started < 8
            started = time.monotonic()
            assert stop(worker) == 0
            assert time.monotonic() - started < 8
    assert "channel slack: 20 notices were not sent before shutdown" in site.log
    assert TOKEN not in site.log


def test_what_a_service_refuses_is_in_the_log_with_its_reason_and_without_its_address(site: Site):
    with receiving(answer(403, b"action_prohibited")) as server:
        site.add("Fail", {"n": 1}, try_max=1)
        with site.worker("--debug", **settings(server)) as worker:
            site.until(lambda: "slack answered 403: action_prohibited" in site.log)
            assert stop(worker) == 0
    assert "channel slack: 0 notices sent, 1 failed, 0 dropped" in site.log
    assert TOKEN not in site.log
