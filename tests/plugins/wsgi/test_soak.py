"""A hundred thousand good and bad requests, and no more memory than before."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.plugins.wsgi.served import Client, Served
from tests.plugins.wsgi.test_malformed import MALFORMED

ROUNDS = 250
GOOD_PER_ROUND, BAD_PER_ROUND = 300, 100
GROWTH = 12 << 20  # bytes; 100 bytes kept of each request would be as many


def resident(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise ProcessLookupError(pid)


def good(server: Served, number: int) -> None:
    """Pipelined requests on one connection, each with its own answer."""
    bodies = [b"%d" % (number + n) for n in range(GOOD_PER_ROUND)]
    with server.client() as client:
        client.send(
            b"".join(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies)
        )
        for body in bodies:
            assert client.reply().json["body"].encode() == body


def bad(server: Served, data: bytes, status: int) -> None:
    client = Client(server.port)
    client.send(data)
    assert client.reply().status == status
    client.close()


@pytest.mark.chaos
def test_memory_is_constant_under_good_and_bad_requests(served: Served) -> None:
    """The resident memory after 100,000 requests is what it was after the first tenth."""
    cases = itertools.cycle(MALFORMED.values())
    early = 0
    for turn in range(ROUNDS):
        good(served, turn * GOOD_PER_ROUND)
        for data, status in itertools.islice(cases, BAD_PER_ROUND):
            bad(served, data, status)
        if turn == ROUNDS // 10:
            early = resident(served.process.pid)
    assert resident(served.process.pid) - early < GROWTH
