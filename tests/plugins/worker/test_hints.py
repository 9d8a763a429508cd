"""Hints between processes: they wake an idle worker, and nothing depends on them."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import pytest

from densefog_core.config import Config
from densefog_plugins.worker.hints import Listener, Sender, folder
from tests.plugins.worker.processes import Site


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of the test's own for the sockets."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))


@pytest.fixture
def config() -> Config:
    return Config().apply(app_root="/nowhere", db_url="sqlite:////nowhere/jobs.db")


def test_an_idle_worker_starts_a_job_long_before_its_next_poll(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path}/jobs.db")
    site.store.on_enqueued = Sender(Config().apply(app_root="/other", db_url=site.url)).send
    delays: list[float] = []
    with site.worker(worker_poll_interval=60):
        site.until(lambda: site.ended(site.add("Quick")))
        # By now it polls every few seconds.
        idle = time.monotonic() + 3.5
        site.until(lambda: time.monotonic() > idle)
        for _ in range(5):
            start = time.monotonic()
            job_id = site.add("Quick")
            while not site.trace("started", job_id):
                assert time.monotonic() < start + 5
                time.sleep(0.001)
            delays.append(time.monotonic() - start)
    assert delays[0] < 0.3
    assert statistics.median(delays) < 0.1
    assert os.listdir(folder(Config().apply(db_url=site.url))) == []
    site.close()


def test_hints_reach_every_worker_of_the_database_and_no_other(config: Config) -> None:
    mine, other = Listener(config), Listener(Config().apply(db_url="sqlite:////elsewhere/jobs.db"))
    mine._path = mine._path.with_name("1.sock")
    other._path = other._path.with_name("1.sock")
    assert mine.open() and other.open()
    sender = Sender(config)
    for _ in range(1000):
        sender.send()
    assert mine._socket.recv(1) == b"!"
    mine.drain()
    with pytest.raises(BlockingIOError):
        mine._socket.recv(1)
    with pytest.raises(BlockingIOError):
        other._socket.recv(1)
    mine.close()
    other.close()


def test_the_socket_of_a_killed_worker_is_removed(config: Config) -> None:
    killed = Listener(config)
    killed._path = killed._path.with_name("1.sock")
    assert killed.open()
    killed._socket.close()
    Sender(config).send()
    assert os.listdir(folder(config)) == []


def test_a_folder_of_somebody_else_is_not_used(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    folder(config).mkdir()
    listener, sender = Listener(config), Sender(config)
    assert not listener.open()
    sender.send()
    listener.close()


def test_without_a_place_for_sockets_nothing_fails(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/nowhere")
    listener, sender = Listener(config), Sender(config)
    assert not listener.open()
    sender.send()
    listener.close()


def test_a_folders_name_says_nothing_of_the_password() -> None:
    urls = [f"mysql://cloud:{password}@db/fog" for password in ("hunter2", "other")]
    one, two = (folder(Config().apply(db_url=url)) for url in urls)
    assert one == two
    assert one != folder(Config().apply(db_url="mysql://cloud:hunter2@db/another"))
