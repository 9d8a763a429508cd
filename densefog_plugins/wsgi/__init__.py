"""Transport ``wsgi``: serves an API over HTTP, on a strict gevent server or as a WSGI application for any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl
from densefog_core.config import CONF, Config, Setting

if TYPE_CHECKING:
    from densefog_core.actions import Transport, TransportFactory
    from densefog_core.registry import Registry
    from densefog_core.server import Api
    from densefog_plugins.wsgi.app import Application

SETTINGS = (
    Setting(name="wsgi_body_limit", plugin="wsgi", type=int, default=1024 * 1024, minimum=1,
            help="Bytes of the largest request body."),
    Setting(name="wsgi_header_timeout", plugin="wsgi", type=float, default=10.0, minimum=0.1,
            help="Seconds in which a request's headers must have come."),
    Setting(name="wsgi_body_timeout", plugin="wsgi", type=float, default=30.0, minimum=0.1,
            help="Seconds in which a request's body must have come."),
    Setting(name="wsgi_idle_timeout", plugin="wsgi", type=float, default=75.0, minimum=0.1,
            help="Seconds that a connection may wait for its next request."),
    Setting(name="wsgi_handler_timeout", plugin="wsgi", type=float, default=60.0, minimum=0.1,
            help="Seconds that a handler may take."),
    Setting(name="wsgi_max_connections", plugin="wsgi", type=int, default=16_384, minimum=1,
            help="Connections held at once; more are answered 503."),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the limits, and make the standard library cooperative before other plugins import it."""
    for setting in SETTINGS:
        config.declare(setting)
    if config.gevent and config.transport == "wsgi":
        from gevent import monkey

        monkey.patch_all()


@hookimpl
def densefog_register_transports(registry: Registry[TransportFactory]) -> None:
    """Register ``wsgi``."""
    registry.add("wsgi", make_transport)


def make_transport(api: Api) -> Transport:
    """Return the transport of one API."""
    from densefog_plugins.wsgi.transport import WSGITransport

    return WSGITransport(api)


def create_app(api: str = "public", **settings: Any) -> Application:  # noqa: ANN401
    """Return an API as a WSGI application, for other servers: ``gunicorn 'densefog_plugins.wsgi:create_app()'``.

    Args:
        api: the API's name.
        **settings: settings to apply; ``app_root`` is the current folder and ``log_dir`` stderr unless set.

    Raises:
        StartupError: one line that says what is wrong.
    """
    from densefog_core.server import create_api

    CONF.setup(**settings)
    CONF.apply(app_root=CONF.app_root or ".", log_dir=CONF.log_dir or "-")
    return create_api(api).wsgi_app  # type: ignore[no-any-return]
