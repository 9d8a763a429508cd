"""A server process and a raw client for the tests: bytes out, replies in, nothing tidied up on the way."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0  # seconds until a test that hangs fails


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    version: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "") == "close"


class Client:
    """A socket on which requests are bytes; replies are read one by one and nothing beyond them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self, *, head_only: bool = False) -> Reply:
        """Read one reply; EOFError when the connection ends before it."""
        version, status, *_ = self._until(b"\r\n").decode().split(" ")
        headers = {}
        while line := self._until(b"\r\n").decode("latin-1"):
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"{name} came twice"
            headers[name.lower()] = value
        reply = Reply(int(status), headers, b"", version)
        if not head_only and reply.status >= 200 and reply.status not in (204, 304):
            reply.body = self._body(headers)
        return reply

    def is_closed(self) -> bool:
        """Whether the server has closed the connection and sent nothing more; waits for one of the two."""
        try:
            self.received += self.socket.recv(1)
        except ConnectionResetError:
            return True
        return not self.received

    def is_open(self) -> bool:
        """Whether the connection still answers a request with its own reply."""
        self.send(b"GET /?still=open HTTP/1.1\r\nHost: x\r\n\r\n")
        return self.reply().json["environ"]["QUERY_STRING"] == "still=open"

    def close(self) -> None:
        self.socket.close()

    def rest(self) -> bytes:
        """All bytes until the connection ends."""
        while chunk := self.socket.recv(65536):
            self.received += chunk
        return self.received

    def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return self.rest()
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._take(size)
            assert self._take(2) == b"\r\n"
        assert self._take(2) == b"\r\n"
        return body

    def _until(self, end: bytes) -> bytes:
        while end not in self.received:
            self._more()
        line, _, self.received = self.received.partition(end)
        return line

    def _take(self, size: int) -> bytes:
        while len(self.received) < size:
            self._more()
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(self.received)
        self.received += data


class Served:
    """A server process."""

    def __init__(self, **limits: float) -> None:
        # A file, not a pipe: a pipe that nobody reads would block the server once it is full of logged errors.
        self._log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.plugins.wsgi.serve", json.dumps(limits)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if not first:
            raise RuntimeError(f"the server did not start: {self.log()}")
        self.port = int(first)

    def log(self) -> str:
        """All that the server has logged so far."""
        self._log.seek(0)
        return self._log.read()

    @contextmanager
    def client(self) -> Iterator[Client]:
        client = Client(self.port)
        try:
            yield client
        finally:
            client.close()

    def ask(self, data: bytes) -> Reply:
        """Send bytes on a new connection and return the first reply."""
        with self.client() as client:
            client.send(data)
            return client.reply()

    def get(self, path: str) -> Reply:
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def state(self) -> dict[str, int]:
        """How often the application was called, and what else it counts."""
        return self.get("/state").json

    def terminate(self) -> None:
        """Begin the drain."""
        self.process.terminate()

    def end(self) -> tuple[str, str]:
        """Drain, wait for the end of the process, and return what it printed since its start, and its log."""
        if self._log.closed:
            return "", ""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            printed, _ = self.process.communicate(timeout=PATIENCE)
            return printed, self.log()
        finally:
            self.process.kill()
            self.process.wait()
            self._log.close()
