"""Servers with middleware, each ended with its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.middleware import Served

Serve = Callable[..., Served]


@pytest.fixture
def middleware(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers of the given settings, in one folder."""
    started: list[Served] = []

    def start(**settings: Any) -> Served:
        started.append(Served(tmp_path, **settings))
        return started[-1]

    yield start
    for server in started:
        server.end()
