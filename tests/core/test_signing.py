"""Signatures: what is signed, in numbers that never change, and the command that signs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from densefog_core.cli.main import main
from densefog_core.signing import DATE, KEY, NONCE, SIGNATURE, secret_hash, sign, signature

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def test_a_signature_is_what_clients_in_other_languages_compute() -> None:
    hashed = secret_hash("thekey", "thesecret")
    assert hashed == "7e4726c7af757ebf9bade716d198a5f3dd91e3d832ac5c8bd4af7d04fced232a"
    signed = signature(hashed, "POST", "/", "20300102T120000Z", "0123456789abcdef", b'{"action":"Ping"}')
    assert signed == "52ccc62da923656f7775cded5f368cf1ddcde06f970a4f385615063437262ee5"


def test_each_request_has_a_nonce_of_its_own_and_never_the_secret() -> None:
    first, second = (sign("thekey", "thesecret", b"{}", now=NOON) for _ in range(2))
    assert first[NONCE] != second[NONCE]
    assert (first[KEY], first[DATE]) == ("thekey", "20300102T120000Z")
    assert "thesecret" not in str(first)


def test_the_same_secret_of_another_key_is_kept_as_another_hash() -> None:
    assert secret_hash("a", "thesecret") != secret_hash("b", "thesecret")


class Recorder(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    seen: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, dict(self.headers.items()), body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": {}, "retCode": 0, "message": null}')

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Recorder.seen = []
    with HTTPServer(("127.0.0.1", 0), Recorder) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/", "/Ping"])
def test_densefog_call_signs_what_it_sends(server: HTTPServer, path: str) -> None:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    secrets = {"DENSEFOG_KEY": "thekey", "DENSEFOG_SECRET": "thesecret"}
    done = CliRunner().invoke(main, ["call", "Ping", "--url", url], env=secrets)
    assert done.exit_code == 0, done.output
    ((asked, headers, body),) = Recorder.seen
    given = {name.lower(): value for name, value in headers.items()}
    date, nonce = given[DATE.lower()], given[NONCE.lower()]
    assert asked == path
    assert given[SIGNATURE.lower()] == signature(secret_hash("thekey", "thesecret"), "POST", path, date, nonce, body)
    assert "thesecret" not in str(headers)


def test_densefog_call_without_a_key_signs_nothing(server: HTTPServer) -> None:
    done = CliRunner().invoke(main, ["call", "Ping", "--url", f"http://127.0.0.1:{server.server_port}/"])
    assert done.exit_code == 0
    assert SIGNATURE not in {name.title() for name in Recorder.seen[0][1]}


def test_half_of_a_key_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["call", "Ping", "--key", "thekey"])
    assert done.exit_code == 2
    assert "go together" in done.output
