"""A server of our own on loopback, for channels to send to: it answers well, badly, slowly, by half and without end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from densefog_core.config import Config
from densefog_core.jobs import Job
from densefog_core.notify import Count, Notification

JOB = Job(id="job-abcdefghij", action="CreateVolumes", trys=3, try_max=3, project_id="p-1")
FAILED = Notification(
    topic="gave_up", job=JOB, error="no disk", host="node-1", is_last_chance=True,
    failure="OSError at volumes.py:12 in create", traceback="Traceback (most recent call last):\nOSError: no disk",
)
DIGEST = Notification(
    topic="digest", job=JOB, host="node-1", seconds=60.0,
    counts=(Count("gave_up", "CreateVolumes", "OSError at volumes.py:12 in create", 997, JOB.id),
            Count("lost", "DeleteVolumes", "", 3, JOB.id)),
)  # fmt: skip

Handler = BaseHTTPRequestHandler
Answer = Callable[[Handler], object]

#: Ends what is said of each answer: whether the notice counts as delivered, and what the error says.
TOKEN = "Tok3nTok3nTok3n"


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, and answers as it is told.

    Attributes:
        requests: headers and body of each request.
        answers: what it does with each; the last one stays.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Answer] = list(answers) or [answer(200)]
        self.ended = threading.Event()

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_port}/services/{TOKEN}"

    @property
    def documents(self) -> list[Any]:
        """The bodies, read as JSON."""
        return [json.loads(body) for _, body in self.requests]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving(*answers: Answer) -> Iterator[Receiver]:
    """Run a server for the block."""
    server = Receiver(*answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def answer(status: int, body: bytes = b"ok", headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Answer and close."""

    def write(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


def nothing(handler: Handler) -> None:
    """Keep the connection open and say nothing."""
    handler.server.ended.wait(60)  # type: ignore[attr-defined]


def half(handler: Handler) -> None:
    """Close in the middle of the first line."""
    handler.wfile.write(b"HTTP/1.1 2")
    handler.wfile.flush()
    handler.connection.shutdown(2)


def half_a_body(handler: Handler) -> None:
    """Promise more than is sent."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nok")


def drip(handler: Handler) -> None:
    """Send headers without end, a byte at a time, each sooner than a socket's timeout."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not handler.server.ended.wait(0.02):  # type: ignore[attr-defined]
        handler.wfile.write(b"x")


def endless(handler: Handler) -> None:
    """Send 1 GB."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    chunk = b"x" * (1 << 20)
    for _ in range(1024):
        handler.wfile.write(chunk)


def config(plugin: Any, **settings: Any) -> Config:
    """Return the settings of a channel's plugin; http is allowed unless told otherwise."""
    made = Config().apply(**{"notify_allow_http": True, **settings})
    plugin.densefog_configure(config=made)
    return made
