"""A small strict HTTP/1.1 server for any WSGI application, on gevent's StreamServer and the llhttp parser."""

from __future__ import annotations

import logging
import resource
import socket
import sys
from contextlib import suppress
from time import monotonic
from typing import Any

import gevent
from gevent.event import Event
from gevent.server import StreamServer
from gevent.socket import socket as GreenSocket

from densefog_core.server.listeners import bind
from densefog_plugins.wsgi.connection import Connection, Phase
from densefog_plugins.wsgi.gateway import WSGIApplication
from densefog_plugins.wsgi.limits import Limits

logger = logging.getLogger("densefog.server")

_SCRATCH_BYTES = 32 << 10
_SPARE_FILES = 128  # file descriptors left for logs, databases and providers
_SPARE_REJECTS = 64  # connections above the cap that are told so; others are closed without a word
_SLOWEST_SWEEP = 0.5  # seconds
_CUT_GRACE = 1.0  # seconds for interrupted handlers to clean up


class Server:
    """Serves a WSGI application on one port, a greenlet for each connection.

    All methods belong to the thread, and so to the gevent hub, that calls :meth:`start`.

    Args:
        wsgi_app: Any WSGI callable. It runs in the connection's greenlet and should wait cooperatively.
        host: The address to bind, IPv4 or IPv6.
        port: The port to bind; 0 lets the system choose (see ``address``).
        listener: A socket that listens, in place of host and port.
        limits: What a client may take.
        shared: Other processes accept connections from the same listener.
    """

    def __init__(
        self,
        wsgi_app: WSGIApplication,
        host: str = "127.0.0.1",
        port: int = 8080,
        *,
        listener: socket.socket | None = None,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        shared: bool = False,
    ) -> None:
        self.application = wsgi_app
        self.limits = limits
        self.draining = False
        self.cutting = False
        self.connections: set[Connection] = set()
        self.scratch = memoryview(bytearray(_SCRATCH_BYTES))
        self.environ: dict[str, Any] = {}
        self.hub: Any = None
        self._wanted = (host, port)
        self._listener = listener
        self._shared = shared
        self._max_connections = limits.max_connections
        self._stream: Any = None
        self._sweeper: Any = None
        self._emptied: Any = None
        self._stopped: Any = None

    @property
    def address(self) -> tuple[str, int]:
        """The address and port that are listened on; only after :meth:`start`."""
        return self._stream.address[:2]  # type: ignore[no-any-return]

    def start(self) -> None:
        """Bind the port and begin to accept connections.

        Raises:
            OSError: The address cannot be bound; the port is taken (``errno.EADDRINUSE``).
        """
        bound = self._listener or bind(*self._wanted)
        listener = GreenSocket(fileno=bound.detach())
        self.hub = gevent.get_hub()
        self._emptied, self._stopped = Event(), Event()
        self._max_connections = _affordable(self.limits.max_connections)
        self._stream = StreamServer(listener, self._handle, spawn=gevent.spawn_raw)
        if self._shared:
            # Each takes its turn: one that takes all that wait would let them wait for itself.
            self._stream.max_accept = 1
        self._stream.init_socket()
        self.environ = self._base_environ()
        self._stream.start()
        self._sweeper = gevent.spawn(self._sweep)

    def serve_forever(self) -> None:
        """Start if need be, and return when :meth:`stop` has run (in another greenlet, or a gevent signal handler)."""
        if self._stream is None:
            self.start()
        self._stopped.wait()

    def stop(self, timeout: float) -> bool:
        """Drain and end: no new connections, idle ones closed, requests under way answered with ``Connection: close``.

        Args:
            timeout: Seconds to wait for the requests under way; what remains is cut.

        Returns:
            True if all requests were answered in time.
        """
        if self._stream is None:
            return True
        if self.draining:
            self._stopped.wait()
            return not self.cutting
        self.draining = True
        self._take_backlog()
        self._stream.stop(timeout=0)
        for connection in list(self.connections):
            connection.hasten()
        self._interrupt_late()
        finished = not self.connections or bool(self._emptied.wait(timeout)) or not self._busy()
        if not finished:
            self._cut()
        self._sweeper.kill()
        self._stopped.set()
        return finished

    def forget(self, connection: Connection) -> None:
        """Take note that a connection is closed."""
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._emptied.set()

    def _base_environ(self) -> dict[str, Any]:
        host, port = self.address
        return {
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": self._shared,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    def _handle(self, sock: GreenSocket, peer: tuple[str, int]) -> None:
        excess = len(self.connections) - self._max_connections
        if excess >= _SPARE_REJECTS:
            return
        connection = Connection(self, sock, peer)
        self.connections.add(connection)
        if excess >= 0:
            connection.reject()
        else:
            connection.run()

    def _take_backlog(self) -> None:
        """Accept the connections that the kernel has accepted already: closing the listener would reset them."""
        with suppress(OSError):  # out of files: the rest must be reset
            while (accepted := self._stream.do_read()) is not None:
                self._stream.do_handle(*accepted)
        gevent.sleep(0)

    def _sweep(self) -> None:
        pause = min(_SLOWEST_SWEEP, self.limits.shortest / 10)
        while True:
            gevent.sleep(pause)
            self._interrupt_late()

    def _interrupt_late(self) -> None:
        now = monotonic()
        for connection in self.connections:
            if connection.deadline <= now:
                self.hub.loop.run_callback(connection.interrupt)

    def _busy(self) -> int:
        """Return how many connections still owe their client a reply."""
        return sum(connection.phase is not Phase.LINGER for connection in self.connections)

    def _cut(self) -> None:
        logger.warning("drain: %d requests were not finished in time and are cut", self._busy())
        self.cutting = True
        for connection in self.connections:
            connection.deadline = 0.0
        self._interrupt_late()
        self._emptied.wait(_CUT_GRACE)


def _affordable(wanted: int) -> int:
    """Raise this process's soft limit of open files as far as it may go; return how many connections fit below it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE_FILES
    if soft < needed:
        soft = min(needed, hard) if hard != resource.RLIM_INFINITY else needed
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    fitting = max(min(wanted, soft - _SPARE_FILES), 1)
    if fitting < wanted:
        logger.warning("max_connections is %d instead of %d: the limit of open files is %d", fitting, wanted, soft)
    return fitting
