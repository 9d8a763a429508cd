"""A server in a process of its own, for the tests: ``python -m tests.plugins.wsgi.serve '{"header_timeout": 0.3}'``.

It prints its port, drains on SIGTERM, and prints whether the drain was clean.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs
from wsgiref.validate import validator

import gevent

from densefog_plugins.wsgi.connection import Interrupt
from densefog_plugins.wsgi.limits import Limits
from densefog_plugins.wsgi.server import Server

PLAIN = ("Content-Type", "text/plain")
seen: Counter[str] = Counter()


class Closing:
    """An iterable of pieces that counts its ``close()``."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        seen["closed"] += 1


def argument(environ: dict[str, Any], name: str, default: str) -> str:
    return parse_qs(environ["QUERY_STRING"]).get(name, [default])[0]


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    found = {key: value for key, value in environ.items() if isinstance(value, str)}
    answer = json.dumps({"environ": found, "body": body.decode("latin-1")}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def hello(environ, start_response):
    start_response("200 OK", [PLAIN])
    return [b"hel", b"lo"]


def stream(environ, start_response):
    start_response("200 OK", [PLAIN])
    return Closing([b"one ", b"", b"two"])


def big(environ, start_response):
    start_response("200 OK", [PLAIN])
    return [b"x" * int(argument(environ, "bytes", "1000"))]


def written(environ, start_response):
    write = start_response("200 OK", [PLAIN, ("Content-Length", "6")])
    write(b"abc")
    return [b"def"]


def slow(environ, start_response):
    seen["started"] += 1
    try:
        gevent.sleep(float(argument(environ, "seconds", "0")))
    except Interrupt:
        seen["interrupted"] += 1
        raise
    start_response("200 OK", [PLAIN])
    return [b"slept"]


def stubborn(environ, start_response):
    try:
        gevent.sleep(60)
    except Interrupt:
        start_response("200 OK", [PLAIN])
        return [b"not impressed"]


def slow_stream(environ, start_response):
    start_response("200 OK", [PLAIN])

    def pieces():
        yield b"first"
        gevent.sleep(60)

    return Closing(pieces())


def boom(environ, start_response):
    start_response("200 OK", [PLAIN])
    raise RuntimeError("boom")


def cancelled(environ, start_response):
    """Raise what is no Exception."""
    raise asyncio.CancelledError


def boom_late(environ, start_response):
    start_response("200 OK", [PLAIN])

    def pieces():
        yield b"first"
        raise RuntimeError("boom")

    return Closing(pieces())


def exc_info(environ, start_response):
    start_response("200 OK", [PLAIN])
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        start_response("500 Oh No", [PLAIN], sys.exc_info())
    return [b"replaced"]


def split_header(environ, start_response):
    start_response("200 OK", [PLAIN, ("X-Evil", "a\r\nSet-Cookie: b")])
    return [b"never"]


def split_status(environ, start_response):
    start_response("200 OK\r\nX-Evil: 1", [PLAIN])
    return [b"never"]


def hop_by_hop(environ, start_response):
    start_response("200 OK", [PLAIN, ("Transfer-Encoding", "chunked")])
    return [b"never"]


def no_start(environ, start_response):
    return [b"never"]


def too_long(environ, start_response):
    start_response("200 OK", [PLAIN, ("Content-Length", "3")])
    return [b"abcdef"]


def too_long_stream(environ, start_response):
    start_response("200 OK", [PLAIN, ("Content-Length", "3")])
    return iter([b"abcdef"])


def too_short(environ, start_response):
    start_response("200 OK", [PLAIN, ("Content-Length", "9")])
    return Closing([b"abc"])


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return []


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"1"')])
    return []


def closes(environ, start_response):
    start_response("200 OK", [PLAIN, ("Connection", "close")])
    return [b"bye"]


def state(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


@validator
def validated(environ, start_response):
    length = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(length)) if length else b""
    start_response("200 OK", [PLAIN, ("Content-Length", str(len(body) + 2))])
    return [b"ok" + body]


@validator
def validated_stream(environ, start_response):
    write = start_response("200 OK", [PLAIN])
    write(b"first ")
    return iter([b"second"])


ROUTES = {f"/{function.__name__}": function for function in (
    hello, stream, big, written, slow, stubborn, slow_stream, boom, cancelled, boom_late, exc_info, split_header,
    split_status, hop_by_hop, no_start, too_long, too_long_stream, too_short, no_content, not_modified, closes, state,
)}  # fmt: skip
ROUTES |= {"/validated": validated, "/validated_stream": validated_stream}


def application(environ, start_response):
    seen["requests"] += 1
    return ROUTES.get(environ["PATH_INFO"], echo)(environ, start_response)


def main() -> None:
    options = json.loads(sys.argv[1])
    drain = options.pop("drain", 5.0)
    server = Server(application, port=0, limits=Limits(**options))
    server.start()
    gevent.signal_handler(signal.SIGTERM, lambda: gevent.spawn(lambda: print(server.stop(drain), flush=True)))
    print(server.address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
