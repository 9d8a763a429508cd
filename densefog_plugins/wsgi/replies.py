"""The bytes of replies: head, date, and the refusals that the server itself answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from densefog_core.context import context_id_for

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# Fields about the connection, not the reply: PEP 3333 forbids them to applications.
HOP_BY_HOP = frozenset(
    {
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
    }
)
BODILESS = frozenset({204, 304})

_CLIENT_FAULT, _SERVER_FAULT = 4110, 5000
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z", re.ASCII)
_STATUS = re.compile(r"([2-5][0-9][0-9]) [^\x00-\x1f\x7f]*\Z")
_CACHE_SIZE = 1024


class Refusal(Exception):
    """A request that the server answers itself, before closing the connection.

    Args:
        status: The HTTP status of the answer.
        message: One sentence for the client; never a part of what it sent.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadReply(Exception):
    """The application's reply breaks PEP 3333 or HTTP; the text names the part at fault, not its value."""


class Clock:
    """The ``Date`` header, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = ""

    def line(self) -> str:
        """Return the header line for now, with its line end."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


CLOCK = Clock()
_status_codes: dict[str, int] = {}
_field_names: dict[str, str] = {}


def status_code(status: str) -> int:
    """Return the number of a WSGI status such as ``200 OK``.

    Raises:
        BadReply: It is not three digits from 200 on, a space, and a printable reason.
    """
    code = _status_codes.get(status)
    if code is None:
        match = _STATUS.match(status)
        if match is None:
            raise BadReply("the status is not three digits (200 to 599), a space and a reason")
        code = int(match[1])
        if len(_status_codes) < _CACHE_SIZE:
            _status_codes[status] = code
    return code


def field_name(name: str) -> str:
    """Return a header's name in lower case.

    Raises:
        BadReply: The name is not a token (RFC 9110, section 5.1), or the header belongs to the server.
    """
    lower = _field_names.get(name)
    if lower is None:
        if not isinstance(name, str) or not _TOKEN.match(name):
            raise BadReply("a header's name is not a token")
        lower = name.lower()
        if lower in HOP_BY_HOP:
            raise BadReply(f"the header {name} belongs to the connection, which is the server's")
        if len(_field_names) < _CACHE_SIZE:
            _field_names[name] = lower
    return lower


def encode_head(lines: Iterable[str], count: int) -> bytes:
    """Return the head of a reply as bytes, with the empty line that ends it.

    Args:
        lines: The status line and header lines, each with its line end.
        count: How many lines there should be: a value with a line end of its own makes more.

    Raises:
        BadReply: A line has a CR, LF or NUL within (response splitting), or is not Latin-1.
    """
    text = "".join(lines)
    if text.count("\n") != count or text.count("\r") != count or "\0" in text:
        raise BadReply("a header's value holds a line end or NUL")
    try:
        return text.encode("latin-1") + b"\r\n"
    except UnicodeEncodeError:
        raise BadReply("a header's value is not Latin-1") from None


def refusal(
    status: int, message: str, context_id: str | None = None, *, close: bool = True, with_body: bool = True
) -> bytes:
    """Return a whole reply with the contract's envelope.

    Args:
        status: 4xx blames the client (retCode 4110), 5xx the server (5000).
        message: The envelope's message.
        context_id: The request's id, where one is known.
        close: Whether the reply announces the end of the connection.
        with_body: False for the reply to a HEAD request.
    """
    ret_code = _CLIENT_FAULT if status < HTTPStatus.INTERNAL_SERVER_ERROR else _SERVER_FAULT
    context_id = context_id_for(context_id)
    body = json.dumps({"data": {"exceptionTag": context_id}, "retCode": ret_code, "message": message}).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n",
        CLOCK.line(),
        "Content-Type: application/json; charset=utf-8\r\n",
        f"Content-Length: {len(body)}\r\n",
        f"X-Request-Id: {context_id}\r\n",
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append("Retry-After: 1\r\n")
    if close:
        lines.append("Connection: close\r\n")
    head = encode_head(lines, len(lines))
    return head + body if with_body else head
