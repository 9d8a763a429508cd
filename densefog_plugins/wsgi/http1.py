"""The head of an HTTP/1 request, parsed strictly: bytes in, a WSGI environ and the body's framing out.

httptools (llhttp) judges the header lines. What it lets pass and this server does not is judged here: the request
line, ``Host``, transfer codings other than chunked, header names that would shadow another in the environ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools

from densefog_plugins.wsgi.limits import Limits
from densefog_plugins.wsgi.replies import Refusal

Environ = dict[str, Any]

HEAD_END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"([A-Z][A-Z-]*) ([^\x00-\x20\x7f-\xff]+) HTTP/(1\.[01])\r\n")
_OTHER_VERSION = re.compile(rb"[A-Z][A-Z-]* [^\x00-\x20\x7f-\xff]+ HTTP/[0-9]\.[0-9]\r\n")
# uri-host and port of RFC 3986; an empty Host is legal (RFC 9112, section 3.2).
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?\Z")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_SINGLE = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"})
_CACHE_SIZE = 1024

_keys: dict[bytes, str | None] = {}


def environ_key(name: bytes) -> str | None:
    """Return the environ key of a header, or None for a name with an underscore.

    ``X_Real_IP`` and ``X-Real-IP`` would share a key, so a client could forge what a proxy sets.
    """
    if name in _keys:
        return _keys[name]
    key = None
    if b"_" not in name:
        key = name.decode("ascii").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
    if len(_keys) < _CACHE_SIZE:
        _keys[name] = key
    return key


@dataclass(slots=True)
class Request:
    """A request whose head has been read."""

    environ: Environ
    """The WSGI environ, but for ``wsgi.input``."""
    persistent: bool
    """Whether the client lets the connection live on after the reply."""
    http11: bool
    """False for HTTP/1.0, whose clients know no chunks and no ``100 Continue``."""
    length: int
    """Bytes of the body that follows, -1 when it is chunked."""
    expects_continue: bool
    """Whether the client waits for ``100 Continue`` before it sends the body."""


class _Fields:
    """Takes the header lines of one request from llhttp and puts them into an environ."""

    __slots__ = ("count", "environ", "host_is_good", "parser", "persistent")

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self.count = 0
        self.host_is_good = True
        self.persistent = False
        self.parser = httptools.HttpRequestParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.count += 1
        key = environ_key(name)
        if key is None:
            return
        environ = self.environ
        text = value.rstrip(b" \t").decode("latin-1")
        if key in environ:
            text = _joined(key, environ[key], text)
        elif key == "HTTP_HOST":
            self.host_is_good = _HOST.match(value.rstrip(b" \t")) is not None
        environ[key] = text

    def on_headers_complete(self) -> None:
        self.persistent = self.parser.should_keep_alive()

    def read(self, head: bytes) -> None:
        """Parse a whole head.

        Raises:
            Refusal: It is malformed.
        """
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # RFC 9110, section 7.8: a server may ignore Upgrade; the request is then answered as it stands.
            pass
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, Refusal):
                raise error.__context__ from None
            raise
        except httptools.HttpParserError as error:
            raise Refusal(400, f"Malformed HTTP request: {error}.") from None


def _joined(key: str, first: str, second: str) -> str:
    if key in _SINGLE:
        raise Refusal(400, "Malformed HTTP request: a header that may come once comes twice.")
    return f"{first}{'; ' if key == 'HTTP_COOKIE' else ', '}{second}"


def check_unfinished(buffer: bytes, start: int) -> None:
    """Refuse a head that cannot become a good one, without waiting for its end.

    Args:
        buffer: What has arrived; holds no empty line yet.
        start: How much of it was checked before.

    Raises:
        Refusal: It cannot be a request.
    """
    if not b"A" <= buffer[:1] <= b"Z" and buffer != b"\r":
        raise Refusal(400, "Malformed HTTP request: it does not begin with a method.")
    if _BARE_LF.search(buffer, max(start - 1, 0)):
        raise Refusal(400, "Malformed HTTP request: a line does not end with CRLF.")
    if b"\n" in buffer and not _REQUEST_LINE.match(buffer):
        raise _bad_request_line(buffer)


def parse_head(head: bytes, environ: Environ, limits: Limits) -> Request:
    """Parse the head of a request.

    Args:
        head: The request line and the headers, through the empty line.
        environ: A fresh copy of what all requests of the connection share; completed in place.
        limits: Only ``header_count`` is used: the caller has bounded the bytes.

    Raises:
        Refusal: 400, 431, 501 or 505; after any of them the connection cannot be used further.
    """
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise _bad_request_line(head)
    method, target, version = line.groups()
    _set_target(environ, method, target)
    fields = _Fields(environ)
    fields.read(head)
    if fields.count > limits.header_count:
        raise Refusal(431, f"The request has more than {limits.header_count} headers.")
    http11 = version == b"1.1"
    if not http11:
        environ["SERVER_PROTOCOL"] = "HTTP/1.0"
    if not fields.host_is_good or (http11 and "HTTP_HOST" not in environ):
        raise Refusal(400, "Malformed HTTP request: it needs one Host header with a host name.")
    return Request(environ, fields.persistent, http11, _body_length(environ, http11), _expectation(environ, http11))


def _bad_request_line(head: bytes) -> Refusal:
    if _OTHER_VERSION.match(head):
        return Refusal(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    return Refusal(400, "Malformed HTTP request: the request line is not METHOD, target, HTTP/1.1.")


def _set_target(environ: Environ, method: bytes, target: bytes) -> None:
    environ["REQUEST_METHOD"] = method.decode("ascii")
    environ["REQUEST_URI"] = target.decode("ascii")
    if method == b"CONNECT":
        raise Refusal(501, "This is not a proxy: CONNECT is not served.")
    if target == b"/":
        return
    if b"#" in target or not (target[0] == 0x2F or (target == b"*" and method == b"OPTIONS")):
        raise Refusal(400, "Malformed HTTP request: the target is not a path.")
    path, _, query = target.partition(b"?")
    # "OPTIONS *" asks about the server as a whole: the root stands for it, as PEP 3333 knows paths only.
    environ["PATH_INFO"] = "/" if path == b"*" else unquote_to_bytes(path).decode("latin-1")
    environ["QUERY_STRING"] = query.decode("ascii")


def _body_length(environ: Environ, http11: bool) -> int:
    coding = environ.pop("HTTP_TRANSFER_ENCODING", None)
    if coding is None:
        # llhttp has made sure that it is digits, fits 64 bits, and is alone.
        return int(environ.get("CONTENT_LENGTH", "0"))
    if not http11:
        raise Refusal(400, "Malformed HTTP request: HTTP/1.0 knows no Transfer-Encoding.")
    if coding.lower() != "chunked":
        raise Refusal(501, "The only transfer coding served is chunked.")
    return -1


def _expectation(environ: Environ, http11: bool) -> bool:
    expect = environ.pop("HTTP_EXPECT", None)
    if expect is None or not http11:
        return False
    if expect.lower() != "100-continue":
        raise Refusal(417, "The only expectation met is 100-continue.")
    return True
