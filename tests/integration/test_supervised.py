"""``densefog-serve`` as it is typed: what dies is started again, and SIGHUP restarts without a lost call."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.conftest import Start
from tests.integration.process import SUPERVISED, Process, data, eventually, post, run
from tests.integration.test_roles import statuses


def process_id(process: Process, number: int = 0) -> int:
    """Return the id of the process that the supervisor started as the so manieth one."""
    eventually(lambda: process.log.count(" listens on ") > number, "the start")
    return int([line for line in process.log.splitlines() if " listens on " in line][number].rpartition("pid ")[2][:-1])


@pytest.mark.parametrize("role", [(), ("api",)])
def test_an_api_that_is_killed_is_there_again(supervised: Start, role: tuple[str, ...]):
    """Under the same address, which was free at the first start; a call made meanwhile is answered."""
    process = supervised(*role)
    address = process.address()
    os.kill(process_id(process), signal.SIGKILL)
    assert data(address, "DescribeVolumes")["total"] == 0
    assert process_id(process, 1) != process_id(process)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_one_process_is_served_without_a_supervisor(start: Start):
    """For systemd and containers, which see its end."""
    process = start("api")
    process.address()
    assert process_id(process) == process.popen.pid
    process.signal(signal.SIGHUP)
    assert process.wait() == 0


def test_several_processes_need_the_supervisor(tmp_path: Path):
    """They are its children."""
    done = run(*SUPERVISED, "api", "--workers", "2", "--no-supervisor", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "--no-supervisor" in done.stderr


def test_a_start_that_fails_says_so_in_one_line(tmp_path: Path):
    """Not in one of the process and another of its supervisor."""
    done = run(*SUPERVISED, "api", "--api", "x y", "-p", "nobody", "--port", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1), done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_restart_loses_no_call(supervised: Start, workers: str):
    """Three times SIGHUP while clients call, each over a connection of its own."""
    process = supervised("api", "--workers", workers)
    address = process.address()
    answers: Counter[object] = Counter()
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            try:
                answers[post(address, "DescribeVolumes")["retCode"]] += 1
            except OSError as exc:
                answers[repr(exc)] += 1

    clients = [threading.Thread(target=call) for _ in range(4)]
    for client in clients:
        client.start()
    for restarts in range(1, 4):
        process.signal(signal.SIGHUP)
        ended = restarts * int(workers)
        eventually(lambda ended=ended: process.log.count("] stopped") == ended, "the end of the old processes")
    done.set()
    for client in clients:
        client.join()
    assert set(answers) == {0}
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_a_restart_lets_a_running_job_end(supervised: Start, tmp_path: Path):
    """The old process drains; the new one takes the next job meanwhile."""
    process = supervised()
    address = process.address()
    (first,) = data(address, "StartJobs", job="Gated")["jobIds"]
    eventually((tmp_path / "trace").exists, "the job's beginning")
    process.signal(signal.SIGHUP)
    process.line("draining")
    (tmp_path / "gate").touch()
    process.line("] stopped")
    (second,) = data(address, "StartJobs", job="Gated")["jobIds"]
    eventually(lambda: set(statuses(tmp_path).values()) == {("finished", 1)}, "the end of both")
    assert set(statuses(tmp_path)) == {first, second}


def test_a_socket_of_systemd_is_listened_on(tmp_path: Path):
    """LISTEN_FDS, as a socket unit gives it: calls that came before the start are answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        start = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), "
        start += "LISTEN_FDS='1'); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
        given = ("-c", start, str(listener.fileno()), *SUPERVISED, "api", "--app-root", str(tmp_path))
        process = Process(*given, cwd=tmp_path, pass_fds=[listener.fileno()])
        try:
            assert data(f"http://127.0.0.1:{listener.getsockname()[1]}", "DescribeVolumes")["total"] == 0
        finally:
            process.end()
    assert process.popen.returncode == 0
