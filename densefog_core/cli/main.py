"""The group ``densefog``: what operators ask and do."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import click

from densefog_core import jsontext
from densefog_core.actions.handlers import ActionSpec
from densefog_core.app import App
from densefog_core.cli.jobs import jobs
from densefog_core.cli.new import new
from densefog_core.cli.plugins import hooks, plugins
from densefog_core.cli.serve import common_options, configure, fail
from densefog_core.cli.settings import settings
from densefog_core.cli.tables import as_json, echo_json, show
from densefog_core.current import get_app
from densefog_core.errors import StartupError
from densefog_core.functions import attempt
from densefog_core.notify_commands import notify
from densefog_core.printable import in_json, make_output_printable
from densefog_core.signing import sign


class _Group(click.Group):
    """Built-in commands first; plugins are loaded only for a command that is none of them, or for the help."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        make_output_printable()
        return super().main(*args, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        _add_plugin_commands(ctx)
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            _add_plugin_commands(ctx)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as exc:
            cause = exc if isinstance(exc, StartupError) else _wrong_with_the_store()
            if cause is None:
                raise
            fail(cause, verbose=ctx.params.get("verbose", False))


def _wrong_with_the_store() -> StartupError | None:
    """Return what its check says in one line: most often that is why a command fails."""
    try:
        get_app().store.check()
    except StartupError as exc:
        return exc
    return None


@click.group("densefog", cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@common_options
@click.version_option(package_name="densefog", prog_name="densefog")
def main(verbose: bool, **options: Any) -> None:  # noqa: ANN401
    """Look after a densefog application: its plugins, its actions, its jobs, its database."""
    # `_Group` reads `verbose` when a command fails.
    configure(**options)


def _add_plugin_commands(ctx: click.Context) -> None:
    app = App()
    try:
        app.load()
    except StartupError as exc:
        click.echo(f"densefog: {exc}", err=True)
    for record, register in app.plugins.implementations("densefog_register_commands"):
        _, error = attempt(register, group=ctx.command)
        if error is not None:
            click.echo(f"densefog: {record.found.owner}: its commands are missing: {error}", err=True)


# -- actions ---------------------------------------------------------------------------------------------------


@main.group(invoke_without_command=True)
@click.option("--undeclared", is_flag=True, help="Only those whose effect is a guess; exits 1 when there are any.")
@as_json
@click.pass_context
def actions(ctx: click.Context, undeclared: bool, json_output: bool) -> None:
    """List the actions: the API that serves each, what it does, its owner, and the plugin that authenticates calls.

    A ``-`` as the guard says that nothing which densefog knows of asks who calls.
    """
    if ctx.invoked_subcommand is None:
        rows = [_action_row(key, spec) for key, spec in sorted(get_app().actions.items())]
        if undeclared:
            rows = [row for row in rows if not row["declared"]]
        show(rows, ["api", "action", "effect", "guard", "summary", "owner"], json_output=json_output)
        if undeclared and rows:
            ctx.exit(1)


def _action_row(key: str, spec: ActionSpec) -> dict[str, Any]:
    return {
        "api": key.partition("/")[0],
        "action": spec.name,
        "effect": spec.effect,
        "guard": get_app().guard,
        "declared": spec.effect_known,
        "tags": list(spec.tags),
        "deprecated": spec.deprecated,
        "summary": spec.summary,
        "owner": get_app().actions.owner(key),
    }


@actions.command("show")
@click.argument("name")
@click.option("--api", default="public", show_default=True, help="The API that serves the action.")
def show_action(name: str, api: str) -> None:
    """Print an action's parameters and result as JSON Schema."""
    spec = get_app().actions.get(f"{api}/{name}")
    schemas = {
        "action": name,
        "description": spec.description,
        "params": spec.params_schema,
        "result": spec.result_schema,
    }
    echo_json(schemas)


@main.command()
@click.argument("action")
@click.argument("params", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--url", default="http://127.0.0.1:8080/", show_default=True, help="Where the API is.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for the answer.")
@click.option("--key", envvar="DENSEFOG_KEY", help="Sign the call with this access key.")
@click.option("--secret", envvar="DENSEFOG_SECRET", help="The key's secret; others on this machine can read arguments.")
def call(
    action: str, params: tuple[str, ...], url: str, timeout: float, key: str | None, secret: str | None
) -> None:
    """Call an action over HTTP and print its reply; exits 1 when retCode is not 0.

    A VALUE that is JSON is sent as what it means (3, true, ["a"]), everything else as text.
    """
    body = jsontext.dumps({"action": action, **dict(_pair(param) for param in params)}).encode()
    if (key is None) is not (secret is None):
        raise click.UsageError("--key and --secret (DENSEFOG_KEY, DENSEFOG_SECRET) go together")
    path = urllib.parse.urlsplit(url).path or "/"
    signed = {} if key is None or secret is None else sign(key, secret, body, path=path)
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **signed})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            reply = json.load(response)
    except urllib.error.HTTPError as exc:
        reply = json.load(exc)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        raise click.ClickException(f"no reply from {url}: {reason}; is densefog-serve running?") from None
    click.echo(in_json(json.dumps(reply, indent=4, ensure_ascii=False)))
    sys.exit(0 if reply.get("retCode") == 0 else 1)


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


# -- database --------------------------------------------------------------------------------------------------


@main.group()
def db() -> None:
    """Create and check the tables."""


@db.command()
def init() -> None:
    """Create the tables and indexes that are missing."""
    for line in get_app().store.init():
        click.echo(line)


@db.command()
def check() -> None:
    """Say whether the tables are as densefog and the installed applications need them; exits 78 when not."""
    warnings = get_app().store.check()
    for line in warnings or ["the database is as it should be"]:
        click.echo(line)


for command in (plugins, settings, hooks, new, jobs, notify):
    main.add_command(command)
