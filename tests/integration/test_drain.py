"""SIGTERM and SIGINT: what runs is finished or given back, and then the process ends."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.conftest import Start
from tests.integration.process import data, eventually
from tests.integration.test_roles import statuses
from tests.plugins.wsgi.served import Client


def client(address: str) -> Client:
    return Client(urlsplit(address).port or 0)


def send(to: Client, action: str, **params: object) -> None:
    body = json.dumps({"action": action, **params}).encode()
    to.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def refuses(address: str) -> bool:
    """Whether nobody listens at an address."""
    try:
        socket.create_connection(("127.0.0.1", urlsplit(address).port or 0)).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_and_nothing_else_is_accepted(start: Start, tmp_path: Path, number: int):
    process = start("api")
    address = process.address()
    busy, idle = client(address), client(address)
    send(idle, "DescribeVolumes")
    assert not idle.reply().closes
    send(busy, "Nap")
    process.line("napping")
    process.signal(number)
    eventually(lambda: refuses(address), "the end of listening")
    (tmp_path / "gate").touch()
    reply = busy.reply()
    assert (reply.json["data"], reply.closes) == ({"slept": True}, True)
    assert busy.is_closed() and idle.is_closed()
    busy.close()
    idle.close()
    assert process.wait() == 0
    assert "Traceback" not in process.log


def test_a_request_that_does_not_end_in_time_is_cut_off_and_answered(start: Start):
    process = start("api", DRAIN_TIMEOUT="0.3")
    busy = client(process.address())
    send(busy, "Nap")
    process.line("napping")
    process.signal(signal.SIGTERM)
    reply = busy.reply()
    assert (reply.status, reply.json["retCode"], reply.closes) == (503, 5000, True)
    busy.close()
    assert process.wait() == 0


def test_a_running_job_is_finished(start: Start, tmp_path: Path):
    process = start()
    (job_id,) = data(process.address(), "StartJobs", job="Gated")["jobIds"]
    eventually((tmp_path / "trace").exists, "the job's beginning")
    process.signal(signal.SIGTERM)
    process.line("draining")
    (tmp_path / "gate").touch()
    assert process.wait() == 0
    assert statuses(tmp_path) == {job_id: ("finished", 1)}


def test_a_job_that_does_not_end_in_time_is_put_back_and_runs_again_elsewhere(start: Start, tmp_path: Path):
    process = start(DRAIN_TIMEOUT="0.3")
    (job_id,) = data(process.address(), "StartJobs", job="Gated")["jobIds"]
    eventually((tmp_path / "trace").exists, "the job's beginning")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert statuses(tmp_path)[job_id][0] == "pending"
    assert "Traceback" not in process.log

    (tmp_path / "gate").touch()
    start("worker")
    eventually(lambda: statuses(tmp_path)[job_id][0] == "finished", "the end of the job")
    words = [line.split()[0] for line in (tmp_path / "trace").read_text().splitlines()]
    assert words.count("begin") == 2
    assert words.count("end") == 1


def test_a_second_signal_ends_the_process_at_once(start: Start):
    process = start("api")
    busy = client(process.address())
    send(busy, "Nap")
    process.line("napping")
    process.signal(signal.SIGTERM)
    process.line("draining")
    process.signal(signal.SIGTERM)
    assert process.wait(5) == 128 + signal.SIGTERM
    busy.close()
