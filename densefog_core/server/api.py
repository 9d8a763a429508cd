"""``create_api`` and ``create_worker``: what an application's own program starts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from densefog_core import logs
from densefog_core.actions import handlers as actions
from densefog_core.actions.dispatching import Dispatcher
from densefog_core.actions.records import Call, Reply, Request
from densefog_core.actions.transports import Page, Transport
from densefog_core.app import App
from densefog_core.config import CONF
from densefog_core.context import entered
from densefog_core.current import get_app, serving
from densefog_core.errors import ConfigError, RegistrationError, UnknownAction
from densefog_core.errors.catalogue import ErrorRow
from densefog_core.functions import place_of
from densefog_core.hosts import Hosts
from densefog_core.jobs.workers import Worker
from densefog_core.jsontext import Limits
from densefog_core.ownfiles import readable_secrets
from densefog_core.server.reading import read_page
from densefog_core.server.serving import announce, serve

_logger = logging.getLogger("densefog.server")


class Api:
    """One API: a named set of actions, served by the transport that ``CONF.transport`` names.

    Attributes:
        app: the application it belongs to.
        name: its name, ``public`` or ``manage``; actions say which API they belong to.
        debug: whether replies carry tracebacks.
        specs: its actions by name.
        dispatcher: what answers calls.
        hosts: which requests a transport refuses for their ``Host`` or ``Origin``; None where calls are authenticated.
    """

    def __init__(self, app: App, name: str, *, debug: bool) -> None:
        self.app = app
        self.name = name
        self.debug = debug
        self.specs = {action: app.wrapped(spec) for action, spec in app.actions.of(name).items()}
        self.dispatcher = Dispatcher(
            name,
            self.specs,
            debug=debug,
            authenticate=app.authenticator(),
            call_action=app.action_caller(),
            errors=app.errors,
            map_error=app.map_error,
            access=app.access_log.write,
            observers=app.plugins.implementations("densefog_request_event"),
            strict=app.strict,
            limits=Limits(app.config.body_members, app.config.body_elements),
        )
        self.hosts = None if app.guard else Hosts(app.config.allowed_hosts, app.origins)
        self._transport: Transport | None = None
        app.apis[name] = self

    def route(self, routes: Mapping[str, Any]) -> Api:
        """Add actions from a dict of names to handlers, as the original did; return the API.

        One of the name of an action that comes with densefog, such as ``DescribeJobs``, takes its place.

        Raises:
            RegistrationError: the dict is empty, a name is taken, or a handler cannot be called.
        """
        if not isinstance(routes, Mapping) or not routes:
            raise RegistrationError("the routes must be a dict of action names to functions, and not empty")
        for name, handler in routes.items():
            spec = self.app.wrapped(actions.make_spec(name, handler))
            if name in self.specs and not self.specs[name].is_own:
                raise RegistrationError(
                    f"action {name!r} is registered twice: by {self._owner(name)} and in the routes"
                )
            if name in self.specs:
                _logger.info("densefog's own action %s/%s gives way to the one in the routes", self.name, name)
            self.specs[name] = spec
        return self

    def _owner(self, name: str) -> str:
        key = f"{self.name}/{name}"
        return self.app.actions.owner(key) if key in self.app.actions else "the routes"

    @property
    def errors(self) -> list[ErrorRow]:
        """The retCodes that it answers with, those of the application's own exceptions among them."""
        packages = {place_of(spec.handler).partition(".")[0] for spec in self.specs.values()}
        return self.app.errors.rows(packages - {"densefog_core"})

    @property
    def security(self) -> Mapping[str, dict[str, Any]]:
        """OpenAPI's security schemes, by name: what a call proves with who it is from."""
        return self.app.security_schemes

    def dispatch(self, call: Call) -> Reply:
        """Answer one call; for transports."""
        with serving(self.app):
            return self.dispatcher.dispatch(call)

    def page(self, path: str, call: Call) -> Page | None:
        """Answer GET at an address that is no action's, None when nothing is there; for transports."""
        return read_page(self, path, call)

    def call(self, action: str, **params: Any) -> Any:  # noqa: ANN401
        """Run an action in this process and return its ``data``, or raise what it raises.

        Args:
            action: the action's name.
            **params: its parameters, under their names on the wire.
        """
        spec = self.specs.get(action)
        if spec is None:
            raise UnknownAction(action)
        request = Request(self.name, action, {"action": action, **params})
        with serving(self.app), entered(request):
            return self.app.action_caller()(request, spec.call)

    @property
    def transport(self) -> Transport:
        """The transport that serves this API."""
        if self._transport is None:
            self._transport = self.app.pick(self.app.transports, self.app.config.transport)(self)
        return self._transport

    @property
    def wsgi_app(self) -> Any:  # noqa: ANN401
        """The API as a WSGI application."""
        return self.transport.wsgi_app

    def test_client(self) -> Any:  # noqa: ANN401
        """Return werkzeug's test client on the WSGI application."""
        return self.transport.test_client()

    def start(self, port: int = 8080, host: str = "127.0.0.1") -> None:
        """Serve until SIGTERM or SIGINT, then drain and return.

        Args:
            port: TCP port; 0 takes a free one.
            host: address to listen on; only this machine unless told otherwise.

        Raises:
            StartupError: the address cannot be used.
        """
        serve(self.app, [(self, host, port)], None)


class ServedWorker:
    """What `create_worker` returns: the worker plugin's worker, to be started as a server.

    Attributes:
        app: the application whose jobs it runs.
    """

    def __init__(self, app: App, worker: Worker) -> None:
        self.app = app
        self._worker = worker

    def start(self) -> None:
        """Run jobs until SIGTERM or SIGINT, then drain and return.

        Raises:
            StartupError: the store cannot be used.
        """
        serve(self.app, [], self._worker)

    def stop(self, timeout: float | None = None) -> None:
        """Make `start` return: drain for ``timeout`` seconds, by default ``CONF.drain_timeout``."""
        self._worker.stop(timeout)

    def run_pending(self) -> int:
        """Run the jobs that are due now, in this thread, and return the number run."""
        return self._worker.run_pending()

    def add_notifiers(self, *channels: Any) -> ServedWorker:  # noqa: ANN401
        """Do what `add_notifier` does for each of several, given one by one or in lists; return the worker."""
        for channel in channels:
            for one in channel if isinstance(channel, list | tuple) else [channel]:
                self.add_notifier(one)
        return self

    def add_notifier(self, channel: Any) -> ServedWorker:  # noqa: ANN401
        """Tell ``channel`` (a `Channel`, or a function of a `Notification`) of failed jobs, too; return the worker."""
        self.app.notifier.add(channel)
        return self


def prepare(server_name: str) -> App:
    """Check the settings, set up the logs and return the application.

    The folder of the application joins sys.path only after discovery, so that nothing in it can pose as a plugin.
    """
    CONF.require("app_root", "log_dir")
    root = Path(CONF.app_root)
    if not root.is_dir():
        raise ConfigError(f"setting app_root: there is no folder {root}")
    access_log = logs.setup(CONF.log_dir, server_name, debug=CONF.debug, json=CONF.log_format == "json")
    app = get_app()
    _check_picks(app)
    app.plugins.name_slow_ones()
    app.access_log = access_log
    for warning in readable_secrets(CONF):
        announce(warning, logging.WARNING)
    if str(root) not in sys.path:
        sys.path.append(str(root))
    return app


def _check_picks(app: App) -> None:
    """Check that what the settings pick is installed, also where this process has no use for it."""
    for name, registry in (("transport", app.transports), ("worker", app.workers), ("store", app.stores)):
        picked = getattr(CONF, name)
        # A default may be left out with its plugin: there are servers without jobs.
        if picked != CONF.settings[name].default:
            app.pick(registry, picked)


def create_api(name: str = "public", debug: bool | None = None) -> Api:
    """Return the API ``name`` with the actions that the installed packages declare for it.

    Args:
        name: its name; also names the folder of its log files.
        debug: whether replies carry tracebacks; None takes ``CONF.debug``.

    Raises:
        StartupError: one line that says what is wrong.
    """
    app = prepare(name)
    return Api(app, name, debug=CONF.debug if debug is None else debug)


def create_worker(
    pick_size: int | None = None,
    exec_size: int | None = None,
    exec_timeout: float | None = None,
    gevent: bool = True,
) -> ServedWorker:
    """Return a worker for the jobs that the installed packages declare.

    Args:
        pick_size: jobs that one claim takes at most; None takes ``CONF.pick_size``.
        exec_size: jobs that run at once; None takes ``CONF.exec_size``.
        exec_timeout: seconds that a try may take; None takes ``CONF.exec_timeout``.
        gevent: make the standard library cooperative, so that jobs that wait do not block each other.

    Raises:
        StartupError: one line that says what is wrong.
    """
    given = {"pick_size": pick_size, "exec_size": exec_size, "exec_timeout": exec_timeout}
    CONF.apply(gevent=gevent or CONF.gevent, **{name: value for name, value in given.items() if value is not None})
    app = prepare("worker")
    return ServedWorker(app, app.pick(app.workers, CONF.worker)(app))
