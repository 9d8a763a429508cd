"""The transport that the core is given: the WSGI application, its test client, and its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core.server import listeners
from densefog_plugins.wsgi.app import Application
from densefog_plugins.wsgi.limits import Limits

if TYPE_CHECKING:
    from werkzeug.test import Client

    from densefog_core.server import Api
    from densefog_plugins.wsgi.server import Server


class WSGITransport:
    """Serves one API over HTTP.

    Attributes:
        wsgi_app: the API as a WSGI application.
    """

    def __init__(self, api: Api) -> None:
        self.wsgi_app = Application(api)
        self._api = api
        self._server: Server | None = None

    def test_client(self) -> Client:
        """Return werkzeug's test client."""
        from werkzeug.test import Client

        return Client(self.wsgi_app)

    def listen(self, host: str, port: int) -> str:
        """Accept connections in the background and return the server's address.

        Raises:
            StartupError: the port is taken, or the host is none of this machine.
        """
        from gevent import monkey

        # A program that calls api.start() itself may not have asked for cooperation; without it one waiting
        # handler would hold up all others.
        monkey.patch_all()
        from densefog_plugins.wsgi.server import Server

        shared = listeners.is_handed_over()
        listener = listeners.listen(host, port)
        self._server = Server(self.wsgi_app, listener=listener, limits=self._limits(), shared=shared)
        self._server.start()
        bound_host, bound_port = self._server.address[:2]
        return f"http://{f'[{bound_host}]' if ':' in bound_host else bound_host}:{bound_port}"

    def _limits(self) -> Limits:
        config = self._api.app.config
        return Limits(
            body_bytes=config.wsgi_body_limit,
            header_timeout=config.wsgi_header_timeout,
            body_timeout=config.wsgi_body_timeout,
            idle_timeout=config.wsgi_idle_timeout,
            handler_timeout=config.wsgi_handler_timeout,
            max_connections=config.wsgi_max_connections,
        )

    def stop(self, timeout: float) -> bool:
        """Stop accepting and let running requests finish for ``timeout`` seconds; return whether all did."""
        return self._server is None or self._server.stop(timeout)
