"""A job that fails, and what the receivers of notices are sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.conftest import Start
from tests.integration.process import data, eventually


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def at(self, path: str) -> tuple[dict[str, str], dict[str, Any]]:
        """Wait for the first request to a path and return its headers and its body."""
        found = eventually(lambda: [one for one in self.received if one[0] == path], f"a notice at {path}")
        return found[0][1:]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_slack_and_the_sms_gateway_are_told_of_a_failed_try(receiver: Receiver, start: Start):
    process = start(
        NOTIFY_ALLOW_HTTP="true",
        SLACK_WEBHOOK_URL=f"{receiver.address}/slack",
        NOTIFY_SMS_UR=f"{receiver.address}/sms",
        NOTIFY_SMS_KEY="our key",
        NOTIFY_SMS_SECRET="our secret",
        NOTIFY_SMS_MOBILE="123,456",
    )
    (job_id,) = data(process.address(), "StartJobs", job="Failing")["jobIds"]
    _, slack = receiver.at("/slack")
    assert all(word in slack["text"] for word in (job_id, "Failing", "try 1 of 5", "no luck"))
    assert slack["blocks"]
    headers, sms = receiver.at("/sms")
    assert headers["content-type"].startswith("application/json")
    assert (headers["x-le-key"], headers["x-le-secret"]) == ("our key", "our secret")
    assert set(sms) == {"content", "tos"}
    assert job_id in sms["content"]
    assert sms["tos"] in ("123,456", ["123", "456"])
    process.line(f"job Failing {job_id} failed")
    assert "our secret" not in process.log
