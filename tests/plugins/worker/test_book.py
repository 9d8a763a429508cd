"""The leases that a worker writes down, and who reads them when it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from densefog_core.config import Config
from densefog_core.jobs import Lease
from densefog_plugins.worker.book import Book, Owner, left_behind
from densefog_plugins.worker.hints import folder

HOLDS = """
import sys
from densefog_core.config import Config
from densefog_core.jobs import Lease
from densefog_plugins.worker.book import Book
book = Book(Config().apply(db_url="sqlite:////nowhere/jobs.db"), 2)
book.open()
for number in range(3):
    book.hold(Lease(f"job-{number}", number + 1))
book.drop(Lease("job-1", 2))
import os
os.closerange(3, 100)
book.hold(Lease("job-9", 1))
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of the test's own for the books."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))


@pytest.fixture
def config() -> Config:
    return Config().apply(db_url="sqlite:////nowhere/jobs.db")


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that holds leases, and has closed all its descriptors."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_the_book_of_a_killed_process_is_found(config: Config, holder: subprocess.Popen[str]) -> None:
    """With what it held at its end, also before anybody has waited for it; not while it lives."""
    assert list(left_behind(config)) == []
    holder.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    (left,) = left_behind(config)
    assert left.pid == holder.pid
    assert sorted(left.leases) == [Lease("job-0", 1), Lease("job-2", 3), Lease("job-9", 1)]


def test_a_process_that_stands_still_is_not_gone(config: Config, holder: subprocess.Popen[str]) -> None:
    """Its lease says how long that may last."""
    holder.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
    assert list(left_behind(config)) == []


def test_another_process_with_the_same_number_is_another() -> None:
    """Numbers are used again; in another container they mean something else, which nobody here can judge."""
    mine = Owner.of(os.getpid())
    assert mine is not None and not mine.is_gone
    assert mine._replace(started=mine.started - 1).is_gone
    assert not mine._replace(pid=2**22 + 1, namespace=1).is_gone


def test_a_book_without_leases_goes_with_its_process(config: Config) -> None:
    """Nothing is left for others to look at; one with leases stays."""
    for held in (False, True):
        book = Book(config, 1)
        book.open()
        book.hold(Lease("job-1", 1))
        if not held:
            book.drop(Lease("job-1", 1))
        book.close()
        assert len(list(folder(config).glob("*.leases"))) == held


def test_a_full_book_takes_no_more(config: Config) -> None:
    """What is not in it waits for the end of its lease."""
    book = Book(config, 1)
    book.open()
    for number in range(100):
        book.hold(Lease(f"job-{number}", 1))
    for number in range(100):
        book.drop(Lease(f"job-{number}", 1))
    book.close()
    assert list(folder(config).iterdir()) == []


def test_a_file_that_is_no_book_is_left_alone(config: Config) -> None:
    """Whoever put it there."""
    folder(config).mkdir(mode=0o700)
    (folder(config) / "1.leases").write_bytes(b"\xff" * 100)
    assert list(left_behind(config)) == []
