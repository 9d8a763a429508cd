"""``densefog jobs pause``, ``resume`` and ``pauses``."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from densefog_core.cli.tables import as_json, show
from densefog_core.current import get_app
from densefog_core.flow.pauses import begin, whats
from densefog_core.jobs import utcnow

_LASTS = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
COLUMNS = ["what", "until", "who", "at", "why"]


def moment(text: str, now: datetime) -> datetime:
    """Return the time that ``--until`` means, naive UTC.

    Args:
        text: a time of day in UTC, which is the next such one; how long from now, such as ``90m``; or an ISO 8601 time.
        now: naive UTC.

    Raises:
        ValueError: it is none of them.
    """
    if found := _LASTS.fullmatch(text):
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    if _CLOCK.fullmatch(text):
        today = datetime.combine(now, datetime.strptime(text, "%H:%M").time())
        return today if today > now else today + timedelta(days=1)
    given = datetime.fromisoformat(text)
    return given if given.tzinfo is None else given.astimezone(UTC).replace(tzinfo=None)


def _moment(context: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else moment(text, utcnow())
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no time such as 18:00, 90m or 2026-11-27T06:00Z") from None


def _named(actions: tuple[str, ...], projects: tuple[str, ...], everything: bool) -> list[str]:
    if [bool(actions), bool(projects), everything].count(True) != 1:
        raise click.UsageError("name actions, or give --project or --all: one of these")
    return whats(actions, projects, everything=everything)


def _which(command: Any) -> Any:  # noqa: ANN401
    for option in (
        click.option("--all", "everything", is_flag=True, help="All jobs."),
        click.option("--project", "projects", multiple=True, help="The jobs of this project; repeatable."),
        click.argument("actions", nargs=-1),
    ):
        command = option(command)
    return command


@click.command()
@_which
@click.option("--reason", required=True, help="Why; operators and refused callers read it.")
@click.option("--until", callback=_moment, help="When it ends by itself: 18:00 (UTC), 90m, or an ISO 8601 time.")
def pause(
    actions: tuple[str, ...], projects: tuple[str, ...], everything: bool, reason: str, until: datetime | None
) -> None:
    """Let jobs wait: workers begin none of these actions, or of a project, until they are resumed.

    Running jobs end as they would, and new ones are still taken. Each worker heeds it within one poll.
    """
    if not reason.strip():
        raise click.UsageError("--reason is empty: say why")
    app, named, who = get_app(), _named(actions, projects, everything), f"cli:{getpass.getuser()}"
    try:
        pauses = begin(app.store.pauses, app.job_specs, named, who=who, why=reason, until=until, now=utcnow())
    except ValueError as exc:
        raise click.ClickException(str(exc)) from None
    end = "" if until is None else f" until {until:%Y-%m-%dT%H:%M:%SZ}"
    for one in pauses:
        click.echo(f"{one.what} paused{end}")


@click.command()
@_which
def resume(actions: tuple[str, ...], projects: tuple[str, ...], everything: bool) -> None:
    """End pauses; --all ends the pause of all jobs, and leaves those of actions and projects."""
    store = get_app().store
    named = _named(actions, projects, everything)
    ended = store.pauses.resume(named)
    if ended:
        store.on_enqueued()
    for what in ended:
        click.echo(f"{what} resumed")
    if left := [what for what in named if what not in ended]:
        raise click.ClickException(f"not paused: {', '.join(left)}")


@click.command()
@as_json
def pauses(json_output: bool) -> None:
    """List what is paused, by whom and why."""
    show([one.row() for one in get_app().store.pauses.read()], COLUMNS, json_output=json_output)
