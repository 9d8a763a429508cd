"""``densefog-serve``, and the group ``densefog`` with its commands."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from densefog_core.config import CONF, Config, Origin, apply_from, fall_back
from densefog_core.errors import ConfigError, StartupError
from densefog_core.printable import make_output_printable
from densefog_core.server import api as servers
from densefog_core.server import notify, serving
from densefog_core.server.listeners import listen

#: Exit code of a server that cannot start: EX_CONFIG of sysexits.h.
EX_CONFIG = 78

ROLES = ("api", "worker")

#: Where settings come from that a command's options give.
OPTION = Origin("option")


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which application and which plugins are meant."""
    for option in reversed((
        click.option("--app-root", type=click.Path(), help="The application's folder (default: the current one)."),
        click.option("--config", "config_file", type=click.Path(dir_okay=False),
                     help="Settings file (default: densefog.toml in the application's folder, when there is one)."),
        click.option("-p", "plugins", multiple=True, metavar="NAME", help="Require plugin NAME; no:NAME omits it."),
        click.option("--strict-plugins", is_flag=True, default=None, help="Stop when any plugin cannot be loaded."),
        click.option("--allow-unknown-settings", is_flag=True, default=None,
                     help="Start although something is set that nobody declares, for the time of an upgrade."),
        click.option("--debug/--no-debug", default=None, help="Tracebacks in replies and on the terminal."),
        click.option("-v", "--verbose", is_flag=True, help="Show the traceback of what goes wrong."),
    )):
        command = option(command)
    return command


def configure(
    *,
    app_root: str | None,
    config_file: str | None,
    plugins: Sequence[str],
    **options: Any,  # noqa: ANN401
) -> Config:
    """Apply the common options to ``CONF``.

    Args:
        app_root: the application's folder; None takes what is set elsewhere, or the current one.
        config_file: the settings file.
        plugins: names to require, and to omit with ``no:`` before them.
        **options: settings by name; None was not given.

    Raises:
        ConfigError: a value is wrong or the file cannot be read.
    """
    CONF.setup()
    if app_root:
        apply_from(CONF, OPTION, app_root=os.path.abspath(app_root))
    fall_back(CONF, app_root=os.path.abspath("."))
    default = Path(CONF.app_root) / "densefog.toml"
    if config_file or default.is_file():
        CONF.load_file(config_file or default)
    without = [name.removeprefix("no:") for name in plugins if name.startswith("no:")]
    required = [name for name in plugins if not name.startswith("no:")]
    if required:
        options["required_plugins"] = [*CONF.required_plugins, *required]
    if without:
        options["disabled_plugins"] = [*CONF.disabled_plugins, *without]
    return apply_from(CONF, OPTION, **{name: value for name, value in options.items() if value is not None})


def fail(error: BaseException, *, verbose: bool) -> NoReturn:
    """Show what is wrong in one line, the traceback too when asked for, and end with `EX_CONFIG`."""
    if verbose:
        traceback.print_exception(error)
    click.echo(f"densefog: {error}", err=True)
    sys.exit(EX_CONFIG)


@click.command("densefog-serve", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("what", nargs=-1, metavar="[api|worker] [MODULE:ROUTES]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one."
)
@click.option("--api", "api_name", default="public", show_default=True, help="The API to serve.")
@click.option("--log-dir", help="Folder of the log files; - is stderr (the default).")
@click.option("--workers", type=click.IntRange(1), default=1, help="Serve with so many processes on one port.")
@click.option("--processes", type=click.IntRange(1), default=1, help="Run so many worker processes.")
@click.option("--only", metavar="ACTION,...", help="Run jobs of these actions only.")
@click.option("--except", "without", metavar="ACTION,...", help="Leave jobs of these actions to other workers.")
@click.option(
    "--no-supervisor", is_flag=True, help="Serve in this very process: where systemd or a container starts it again."
)
@common_options
@click.version_option(package_name="densefog", prog_name="densefog-serve")
def serve(
    what: tuple[str, ...], host: str, port: int, api_name: str, log_dir: str | None, workers: int, processes: int,
    only: str | None, without: str | None, no_supervisor: bool, verbose: bool, **options: Any,  # noqa: ANN401
) -> None:
    """Serve the installed actions, and run the installed jobs.

    Without an argument one process does both. ``api`` serves only, ``worker`` runs jobs only. MODULE:ROUTES is a dict
    of action names to functions, served beside the installed actions.

    A supervisor starts again what dies. SIGTERM drains and ends; SIGHUP starts new processes, then drains the old ones.
    """
    make_output_printable()
    try:
        roles, routes = _what(what)
        if "worker" not in roles and (only or without):
            raise ConfigError("--only and --except say which jobs a worker runs; an API runs none")
        configure(log_dir=log_dir, worker_only=_actions(only), worker_except=_actions(without), **options)
        fall_back(CONF, log_dir="-").apply(gevent=True)
        count = _count(roles, workers, processes)
        if no_supervisor and count > 1:
            raise ConfigError("--no-supervisor is for one process; leave out --workers and --processes")
        if not (no_supervisor or notify.is_supervised()):
            sys.exit(_supervise(count, host, port, roles))
        _serve(roles, routes, api_name, host, port)
    except StartupError as exc:
        fail(exc, verbose=verbose)


def _actions(given: str | None) -> list[str] | None:
    """Return the actions of a list with commas."""
    if given is None:
        return None
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise ConfigError("--only and --except take actions, with commas between")
    return names


def _what(words: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Split the arguments into the roles to play and the routes to serve."""
    roles = tuple(word for word in words if word in ROLES)
    others = [word for word in words if word not in ROLES]
    if len(roles) > 1 or len(others) > 1 or any(":" not in word for word in others):
        raise ConfigError(f"cannot serve {' '.join(words)!r}: expected api, worker, or MODULE:ROUTES")
    if others and roles == ("worker",):
        raise ConfigError("a worker serves no routes; leave out MODULE:ROUTES")
    return roles or ROLES, others[0] if others else None


def _count(roles: tuple[str, ...], workers: int, processes: int) -> int:
    if workers > 1 and roles == ("worker",):
        raise ConfigError("--workers is for serving an API; a worker takes --processes")
    if processes > 1 and roles != ("worker",):
        raise ConfigError("--processes is for densefog-serve worker; an API takes --workers")
    return max(workers, processes)


def _supervise(count: int, host: str, port: int, roles: tuple[str, ...]) -> int:
    from densefog_core import logs
    from densefog_core.server import supervisor

    logs.setup(CONF.log_dir, "supervisor", debug=CONF.debug, json=CONF.log_format == "json")
    listener = listen(host, port) if "api" in roles else None
    command = [sys.executable, "-P", "-m", "densefog_core.cli.serve", *sys.argv[1:]]
    return supervisor.supervise(
        command, count, drain_timeout=CONF.drain_timeout + CONF.drain_delay, log=logging.getLogger("densefog.server"),
        listener=listener,
    )


def _serve(roles: tuple[str, ...], routes: str | None, api_name: str, host: str, port: int) -> None:
    if "api" in roles:
        api = servers.create_api(api_name)
        if routes is not None:
            api.route(_import_routes(routes))
        apis, app = [(api, host, port)], api.app
    else:
        apis, app = [], servers.prepare("worker")
    runner = None
    if app.job_specs or "api" not in roles:
        for warning in app.store.check():
            logging.getLogger("densefog.server").warning("%s", warning)
        if "worker" in roles:
            runner = app.pick(app.workers, CONF.worker)(app)
    serving.serve(app, apis, runner)


def _import_routes(value: str) -> Any:  # noqa: ANN401
    module, _, name = value.partition(":")
    try:
        routes: Any = importlib.import_module(module)
        for part in name.split("."):
            routes = getattr(routes, part)
    except Exception as exc:
        raise ConfigError(f"cannot import the routes {value}: {type(exc).__name__}: {exc}") from exc
    return routes


if __name__ == "__main__":
    serve(prog_name="densefog-serve")
