"""One call of the WSGI application (PEP 3333) and the reply it makes, written as HTTP/1.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol

from densefog_plugins.wsgi.http1 import Request
from densefog_plugins.wsgi.replies import BODILESS, CLOCK, LAST_CHUNK, BadReply, encode_head, field_name, status_code

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Transport(Protocol):
    """What carries a reply to the client."""

    @property
    def draining(self) -> bool:
        """Whether the connection must end with this reply."""

    def send(self, data: bytes) -> None:
        """Hand all bytes over to the kernel; raises when the client is gone."""


class Exchange:
    """A request being answered by the application.

    Args:
        transport: Takes the reply's bytes; the head and the first piece of the body come in one call.
        request: The request; its environ is what the application gets.
    """

    __slots__ = (
        "_chunked",
        "_code",
        "_dated",
        "_left",
        "_lines",
        "_mute",
        "_request",
        "_transport",
        "complete",
        "persistent",
        "started",
    )

    def __init__(self, transport: Transport, request: Request) -> None:
        self._transport = transport
        self._request = request
        self._code = 0
        self._lines: list[str] = []
        self._left: int | None = None
        self._dated = self._chunked = False
        self._mute = request.environ["REQUEST_METHOD"] == "HEAD"
        self.persistent = request.persistent
        self.started = self.complete = False

    def run(self, application: WSGIApplication) -> None:
        """Call the application and send all of its reply; its iterable is closed in any case.

        Raises:
            BadReply: The reply is not one; when ``started`` is set, a part of it has left all the same.
        """
        result = application(self._request.environ, self.start_response)
        if type(result) is list:
            self._send_whole(b"".join(result))
            return
        try:
            self._stream(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Take the status and the headers; PEP 3333's ``start_response``.

        Raises:
            BadReply: They are malformed, or this is a second call without ``exc_info``.
        """
        if exc_info is not None:
            try:
                if self.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._code:
            raise BadReply("start_response was called twice")
        self._left, self._dated = None, False
        self._code = status_code(status)
        self._mute = self._mute or self._code in BODILESS
        self._lines = lines = [f"HTTP/1.1 {status}\r\n"]
        for name, value in headers:
            lower = field_name(name)
            if lower in _TAKERS:
                _TAKERS[lower](self, value)
            elif not isinstance(value, str):
                raise BadReply(f"the value of the header {name} is not a str")
            else:
                lines.append(f"{name}: {value}\r\n")
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body; also PEP 3333's ``write`` callable."""
        if not isinstance(data, bytes):
            raise BadReply("a piece of the body is not bytes")
        head = b"" if self.started else self._head(chunk=True)
        if self._mute:
            data = b""
        elif self._left is not None:
            if len(data) > self._left:
                raise BadReply("the body is longer than its Content-Length")
            self._left -= len(data)
        elif self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.started = True
        if head or data:
            self._transport.send(head + data)

    def _stream(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if piece:
                self.write(piece)
                if self._mute:
                    break
        if not self.started:
            self._send_whole(b"")
            return
        if self._chunked:
            self._transport.send(LAST_CHUNK)
        self._finish()

    def _send_whole(self, body: bytes) -> None:
        """Send a reply all of whose body is known: in one piece, with its length."""
        if self.started:
            self._stream([body])
            return
        if self._left is None and self._code not in BODILESS:
            self._left = len(body)
        head = self._head()
        if not self._mute:
            if self._left != len(body):
                raise BadReply("the body is not as long as its Content-Length")
            head += body
            self._left = 0
        self.started = True
        self._transport.send(head)
        self._finish()

    def _finish(self) -> None:
        if self._left and not self._mute:
            raise BadReply("the body is shorter than its Content-Length")
        self.complete = True

    def _head(self, *, chunk: bool = False) -> bytes:
        if not self._code:
            raise BadReply("start_response was not called")
        if self._transport.draining:
            self.persistent = False
        lines = self._lines
        if self._left is not None and self._code != 204:
            lines.append(f"Content-Length: {self._left}\r\n")
        elif chunk and not self._mute:
            self._choose_framing()
        if not self._dated:
            lines.append(CLOCK.line())
        if not self.persistent:
            lines.append("Connection: close\r\n")
        elif not self._request.http11:
            lines.append("Connection: keep-alive\r\n")
        return encode_head(lines, len(lines))

    def _choose_framing(self) -> None:
        """Mark the end of a body of unknown length: by chunks, or by the connection's end for HTTP/1.0."""
        if self._request.http11:
            self._chunked = True
            self._lines.append("Transfer-Encoding: chunked\r\n")
        else:
            self.persistent = False

    def _take_length(self, value: str) -> None:
        if self._left is not None or not (value.isascii() and value.isdigit()):
            raise BadReply("Content-Length is not one number")
        self._left = int(value)

    def _take_connection(self, value: str) -> None:
        if value.lower() == "close":
            self.persistent = False

    def _take_date(self, value: str) -> None:
        self._dated = True
        self._lines.append(f"Date: {value}\r\n")


# The headers of a reply that also tell the server something.
_TAKERS: dict[str, Callable[[Exchange, str], None]] = {
    "content-length": Exchange._take_length,
    "connection": Exchange._take_connection,
    "date": Exchange._take_date,
}
