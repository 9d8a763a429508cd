"""Three servers for the golden tests, started when asked for: as it comes, with real HTTP statuses, and in debug."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.process import Process, eventually
from tests.plugins.wsgi.served import Client, Reply


class Server:
    """The application of the golden tests in a process of its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.logs = folder / "logs" / "public"
        given = json.dumps({"app_root": str(folder), "log_dir": str(folder / "logs"), **settings})
        self.process = Process("-m", "tests.contract.application", given)
        self.port = urlsplit(self.process.address()).port or 0

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """Send one request on a new connection and return the reply, byte by byte as it came."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Host": "localhost", "Content-Length": str(len(body))} | given
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        client = Client(self.port)
        try:
            client.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
            return client.reply(head_only=method == "HEAD")
        finally:
            client.close()

    def post(self, body: dict[str, Any] | bytes, path: str = "/", **headers: str) -> Reply:
        return self.send("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), **headers)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.post({"action": action, **params}).json

    def data(self, action: str, **params: Any) -> Any:
        envelope = self.call(action, **params)
        assert envelope["retCode"] == 0, envelope
        return envelope["data"]

    def logged(self, text: str, file: str = "normal.log") -> str:
        """Wait for a text in a log file and return the lines that have it."""
        path = self.logs / file

        def lines() -> str:
            return "\n".join(line for line in path.read_text().splitlines() if text in line)

        return eventually(lines, f"{text!r} in {file}", 5)


def serve(tmp_path_factory: pytest.TempPathFactory, name: str, **settings: Any) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp(name), **settings)
    yield server
    server.process.end()
    assert server.process.popen.returncode == 0, server.process.log


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory, "plain")


@pytest.fixture(scope="session")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"log_format": "json", "trusted_proxies": ["127.0.0.0/8"], "wsgi_handler_timeout": 0.5}
    yield from serve(tmp_path_factory, "mapped", http_status="map", **settings)


@pytest.fixture(scope="session")
def debugging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory, "debug", debug=True)
