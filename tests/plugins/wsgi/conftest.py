"""Servers for the tests: one shared, one with short limits, and a maker of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.plugins.wsgi.served import Served


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """A server with the limits that a test can reach, and the times that none does."""
    server = Served(body_bytes=4096, header_bytes=2048, header_count=20)
    yield server
    printed, _ = server.end()
    assert printed == "True\n"


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Starts servers with limits of the test's own."""
    started: list[Served] = []

    def start(**limits: float) -> Served:
        started.append(Served(**limits))
        return started[-1]

    yield start
    for server in started:
        server.end()
