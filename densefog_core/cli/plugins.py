"""``densefog plugins`` and ``densefog hooks``: what is installed, what became of it, and what it can take part in."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from densefog_core import hookspecs
from densefog_core.app import App
from densefog_core.cli.tables import as_json, show
from densefog_core.errors import StartupError
from densefog_core.plugins.discovery import discover, normalized
from densefog_core.plugins.markers import PREFIX
from densefog_core.plugins.records import PluginRecord
from densefog_core.registry import did_you_mean

_pin = re.compile(r"([A-Za-z0-9][\w.-]*)\s*==\s*([^\s;#]+)").match


def _hook(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return a hook's whole name; operators may leave out the prefix."""
    if value is None:
        return None
    name = PREFIX + value.removeprefix(PREFIX)
    if name not in _specs():
        short = [hook.removeprefix(PREFIX) for hook in _specs()]
        raise click.BadParameter(f"there is no hook {value!r}{did_you_mean(value.removeprefix(PREFIX), short)}")
    return name


def _specs() -> dict[str, Callable[..., Any]]:
    return {name: spec for name, spec in vars(hookspecs).items() if name.startswith(PREFIX)}


# -- plugins ---------------------------------------------------------------------------------------------------


@click.command()
@as_json
@click.option("-v", "--verbose", "details", is_flag=True, help="Show how long each import took, and tracebacks.")
@click.option("--hook", callback=_hook, help="Only plugins that implement this hook.")
@click.option("--freeze", is_flag=True, help="Print the installed distributions as name==version; imports nothing.")
@click.option("--check", "pins", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Compare what is installed with what --freeze printed; exit 1 when it differs.")
def plugins(json_output: bool, details: bool, hook: str | None, freeze: bool, pins: Path | None) -> None:
    """List what is installed, what became of it, and why."""
    if freeze:
        for name, version in installed().items():
            click.echo(f"{name}=={version}")
    elif pins is not None:
        _check(pins)
    else:
        _list(hook, details=details, json_output=json_output)


def _list(hook: str | None, *, details: bool, json_output: bool) -> None:
    app = App()
    try:
        app.load()
    except StartupError as exc:
        click.echo(f"densefog: {exc}", err=True)
    records = [record for record in app.plugins.records if hook is None or hook in record.hooks]
    timing = ["import_ms"] if details else []
    columns = ["name", "group", "distribution", "version", "state", *timing, "hooks", "reason"]
    show([_row(record, marked=not json_output) for record in records], columns, json_output=json_output)
    if details:
        for record in records:
            if record.error is not None:
                click.echo(f"\n{record}\n{''.join(traceback.format_exception(record.error))}".rstrip(), err=True)


def _row(record: PluginRecord, *, marked: bool) -> dict[str, Any]:
    milliseconds = round(record.import_seconds * 1000, 1)
    return {
        "name": record.name,
        "group": record.found.group,
        "distribution": record.found.dist,
        "version": record.found.version,
        "state": record.state,
        "import_ms": f"{milliseconds} (slow)" if marked and record.is_slow else milliseconds,
        "hooks": [hook.removeprefix(PREFIX) for hook in record.hooks],
        "reason": record.reason,
    }


def installed() -> dict[str, str]:
    """Return the versions of the distributions that declare something for densefog; nothing is imported."""
    return dict(sorted({normalized(found.dist): found.version for found in discover() if not found.wrong}.items()))


def _check(file: Path) -> None:
    differences = list(compare(installed(), read_pins(file.read_text().splitlines(), str(file))))
    for line in differences or ["what is installed is what is pinned"]:
        click.echo(line)
    if differences:
        click.get_current_context().exit(1)


def read_pins(lines: Iterable[str], where: str) -> dict[str, str]:
    """Return versions by distribution from lines of ``name==version``; comments may stand between them.

    Raises:
        UsageError: a line is something else.
    """
    pins: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            match = _pin(text)
            if match is None:
                raise click.UsageError(f"{where}, line {number}: {text!r} is not name==version")
            pins[normalized(match[1])] = match[2]
    return pins


def compare(there: dict[str, str], pinned: dict[str, str]) -> Iterator[str]:
    """Yield a line for each distribution that is not there as it is pinned."""
    for name in sorted({*there, *pinned}):
        if name not in there:
            yield f"{name} {pinned[name]} is pinned and not installed"
        elif name not in pinned:
            yield f"{name} {there[name]} is installed and not pinned"
        elif there[name] != pinned[name]:
            yield f"{name} is installed as {there[name]} and pinned as {pinned[name]}"


# -- hooks -----------------------------------------------------------------------------------------------------


@click.command()
@as_json
@click.argument("name", required=False, callback=_hook)
def hooks(json_output: bool, name: str | None) -> None:
    """List the hooks that a plugin can implement, or print the reference of one."""
    if name is not None:
        click.echo(f"{name}{inspect.signature(_specs()[name])}\n\n{inspect.getdoc(_specs()[name])}")
        return
    rows = [
        {"hook": hook, "arguments": list(inspect.signature(spec).parameters), "summary": _summary(spec)}
        for hook, spec in _specs().items()
    ]
    show(rows, ["hook", "arguments", "summary"], json_output=json_output)


def _summary(spec: Callable[..., Any]) -> str:
    return (inspect.getdoc(spec) or "").partition("\n")[0]
