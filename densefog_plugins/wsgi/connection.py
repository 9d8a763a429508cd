"""A client's connection: requests read, answered in order, and every wait under a deadline.

No timer is made per wait. A connection notes what it is doing and until when; the server's sweeper compares
those notes with the clock a few times a second and, in the hub, throws :class:`Interrupt` into the greenlets that are
late. The hub runs only while a connection waits, so a connection is never interrupted between two of its steps.
"""

from __future__ import annotations

import enum
import logging
import math
import socket
import struct
from contextlib import suppress
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from gevent import getcurrent

from densefog_core import errors
from densefog_core.context import context_id_for
from densefog_plugins.wsgi.body import read_chunked, read_sized
from densefog_plugins.wsgi.gateway import Exchange, WSGIApplication
from densefog_plugins.wsgi.http1 import HEAD_END, Request, check_unfinished, parse_head
from densefog_plugins.wsgi.limits import Limits
from densefog_plugins.wsgi.replies import CONTINUE, Refusal, refusal

if TYPE_CHECKING:
    from gevent.socket import socket as GreenSocket


logger = logging.getLogger("densefog.server")

_READABLE = 1
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_FAILURE = "An error occurred while processing your request."


class Phase(enum.Enum):
    """What a connection is doing, which decides what becomes of it when it is late."""

    IDLE = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    HANDLER = enum.auto()
    WRITE = enum.auto()
    LINGER = enum.auto()


class Server(Protocol):
    """What a connection uses of the server that accepted it."""

    application: WSGIApplication
    limits: Limits
    draining: bool
    cutting: bool
    scratch: memoryview
    environ: dict[str, Any]
    hub: Any

    def forget(self, connection: Connection, /) -> None:
        """Take note that a connection is closed."""


class Interrupt(errors.Interrupt):
    """Thrown into the greenlet of a connection whose deadline has passed.

    Not an Exception, so that an application's ``except Exception`` lets it through.
    """


class Disconnected(Exception):
    """The client is gone, or so slow that it is given up."""


class Connection:
    """One accepted socket, served by the greenlet that calls :meth:`run`.

    Args:
        server: Gives the application, the limits, and whether it is draining.
        sock: A gevent socket.
        peer: The client's address and port, as ``accept`` gives them.
    """

    __slots__ = (
        "_context_id", "_greenlet", "_peer", "_readable", "_served", "_server", "_sock", "buffer", "deadline", "phase",
    )  # fmt: skip

    def __init__(self, server: Server, sock: GreenSocket, peer: tuple[str, int]) -> None:
        self._server = server
        self._sock = sock
        self._peer = peer
        self._greenlet = getcurrent()
        self._readable = server.hub.loop.io(sock.fileno(), _READABLE)
        self._served = 0
        self._context_id: str | None = None
        self.buffer = b""
        self.phase = Phase.IDLE
        self.deadline = math.inf

    @property
    def draining(self) -> bool:
        """Whether the reply under way must be the last."""
        return self._server.draining

    def run(self) -> None:
        """Serve requests until the connection ends, then close it."""
        try:
            while self._serve_one():
                pass
            self._linger()
        except Refusal as error:
            self._refuse(error)
        except Interrupt:
            self._time_out()
        except Disconnected:
            pass
        finally:
            self._close()

    def reject(self) -> None:
        """Answer 503 without reading a request: there are too many connections."""
        try:
            self._refuse(Refusal(503, "The server has too many connections; try again later."))
        finally:
            self._close()

    def interrupt(self) -> None:
        """Interrupt the connection if it is late; runs in the hub."""
        now = monotonic()
        if self.deadline <= now:
            # An application may swallow the interrupt: it is then thrown again.
            self.deadline = now + self._server.limits.handler_timeout
            self._greenlet.throw(Interrupt())

    def hasten(self) -> None:
        """End the connection soon if nothing was asked on it: the server is draining."""
        if self.phase is Phase.IDLE:
            self.deadline = min(self.deadline, monotonic() + _IDLE_GRACE)

    def fill(self) -> None:
        """Wait for bytes from the client and append them to ``buffer``.

        Raises:
            Disconnected: There are none to come.
        """
        # Waiting first, rather than after a vain recv, costs a trip through the hub where bytes are there already,
        # but gives the other connections their turn, and spares the exception where they are not.
        server = self._server
        server.hub.wait(self._readable)
        self._receive()

    def send(self, data: bytes) -> None:
        """Send all bytes within the write timeout.

        Raises:
            Disconnected: The client is gone.
        """
        phase, deadline = self.phase, self.deadline
        self._enter(Phase.WRITE, self._server.limits.write_timeout)
        try:
            sent = self._sock.send(data)
            if sent < len(data):
                self._sock.sendall(memoryview(data)[sent:])
        except OSError as error:
            raise Disconnected from error
        self.phase, self.deadline = phase, deadline

    def _enter(self, phase: Phase, seconds: float) -> None:
        self.phase = phase
        self.deadline = monotonic() + seconds

    def _receive(self) -> None:
        scratch = self._server.scratch
        try:
            count = self._sock.recv_into(scratch)
        except OSError as error:
            raise Disconnected from error
        if not count:
            raise Disconnected
        # No other greenlet runs between recv_into and this copy, so one scratch buffer serves all connections.
        self.buffer += scratch[:count]

    def _serve_one(self) -> bool:
        """Read and answer one request; return whether another may follow."""
        self._context_id = None
        head = self._read_head()
        server = self._server
        environ = server.environ.copy()
        environ["REMOTE_ADDR"] = self._peer[0]
        environ["REMOTE_PORT"] = str(self._peer[1])
        request = parse_head(head, environ, server.limits)
        # The application takes it for the client's own, so that a refusal in its place has the id that its logs have.
        self._context_id = environ["HTTP_X_REQUEST_ID"] = context_id_for(environ.get("HTTP_X_REQUEST_ID"))
        body = self._read_body(request) if request.length else b""
        if request.length < 0:
            environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = BytesIO(body)
        self._served += 1
        return self._answer(request)

    def _read_head(self) -> bytes:
        if not self.buffer:
            self._await_request()
        limit = self._server.limits.header_bytes
        checked = -1
        while True:
            # RFC 9112, section 2.2: empty lines before a request line are to be ignored.
            while self.buffer.startswith(b"\r\n"):
                self.buffer = self.buffer[2:]
            end = self.buffer.find(HEAD_END, 0, limit)
            if end >= 0:
                end += len(HEAD_END)
                head, self.buffer = self.buffer[:end], self.buffer[end:]
                return head
            if checked < 0:
                self._enter(Phase.HEAD, self._server.limits.header_timeout)
            if self.buffer:
                check_unfinished(self.buffer, checked)
            if len(self.buffer) >= limit:
                raise Refusal(431, f"The request line and headers are longer than {limit} bytes.")
            checked = len(self.buffer)
            self.fill()

    def _await_request(self) -> None:
        limits = self._server.limits
        self._enter(Phase.IDLE, limits.idle_timeout if self._served else limits.header_timeout)
        if self._server.draining:
            self.hasten()
        try:
            self.fill()
        except Interrupt:
            self._receive_at_once()

    def _receive_at_once(self) -> None:
        """Take a request that came just before the connection was to be closed, or close it."""
        self._sock.setblocking(False)
        self._receive()
        self._sock.setblocking(True)

    def _read_body(self, request: Request) -> bytes:
        limits = self._server.limits
        if request.length > limits.body_bytes:
            raise Refusal(413, f"The body is larger than {limits.body_bytes} bytes.")
        if request.expects_continue and not self.buffer:
            self.send(CONTINUE)
        self._enter(Phase.BODY, limits.body_timeout)
        if request.length < 0:
            return read_chunked(self, limits)
        return read_sized(self, request.length)

    def _answer(self, request: Request) -> bool:
        exchange = Exchange(self, request)
        self._enter(Phase.HANDLER, self._server.limits.handler_timeout)
        try:
            exchange.run(self._server.application)
        except Interrupt:
            if exchange.complete:
                return False
            if exchange.started:
                self._abort()
            raise
        except Disconnected:
            raise
        except BaseException:  # noqa: BLE001  # whatever an application raises is answered, asyncio.CancelledError too
            return self._fail(request, exchange)
        return exchange.persistent

    def _fail(self, request: Request, exchange: Exchange) -> bool:
        """Log what the application raised and answer 500 if nothing has been sent; return as :meth:`_serve_one`."""
        self._enter(Phase.WRITE, self._server.limits.write_timeout)
        environ = request.environ
        logger.exception("%s %s: the WSGI application failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if exchange.complete:
            return exchange.persistent
        if exchange.started:
            # The client must not take what it has for the whole reply.
            self._abort()
        persistent = request.persistent and request.http11 and not self.draining
        with_body = environ["REQUEST_METHOD"] != "HEAD"
        self.send(refusal(500, _FAILURE, self._context_id, close=not persistent, with_body=with_body))
        return persistent

    def _time_out(self) -> None:
        """End a connection that was interrupted in its present phase."""
        if self.phase is Phase.LINGER:
            return
        if self.phase is Phase.WRITE:
            with suppress(Disconnected):
                self._abort()
        elif self._server.cutting:
            self._refuse(Refusal(503, "The server is stopping."))
        elif self.phase is Phase.HANDLER:
            self._refuse(Refusal(503, "The request took too long to process."))
        else:
            self._refuse(Refusal(408, "The request took too long to arrive."))

    def _refuse(self, error: Refusal) -> None:
        """Answer a refused request."""
        with suppress(Disconnected, Interrupt):
            self.send(refusal(error.status, error.message, self._context_id))
            self._linger()

    def _linger(self) -> None:
        """Let the client read the last reply before the connection goes, and drop what it still sends.

        Closing a socket that has unread bytes resets it, and the client may lose the reply with it.
        """
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._enter(Phase.LINGER, self._server.limits.linger_timeout)
        while True:
            self.buffer = b""
            self.fill()

    def _abort(self) -> NoReturn:
        """Reset the connection, so that the kernel does not hold what the client will not take."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        raise Disconnected

    def _close(self) -> None:
        self.deadline = math.inf
        self._readable.stop()
        self._readable.close()
        self._sock.close()
        self._server.forget(self)


#: Seconds for one more request of a connection that is idle when the drain begins: a proxy that keeps it may be sending
#: one, and is told by the reply to use it no more.
_IDLE_GRACE = 1.0
