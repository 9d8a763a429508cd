"""What operators read of the process: plugins, settings, schedules, channels. And a test notice for a channel."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from densefog_core.app import App
from densefog_core.current import current_app
from densefog_core.errors.iaas_error import ResourceNotFound
from densefog_core.ids import new_id
from densefog_core.jobs import Job
from densefog_core.notices import Notification
from densefog_core.redact import HIDDEN, redact_text
from densefog_plugins.manage.filters import Reason, refusal

#: Characters of a channel's answer that are shown.
MAX_ANSWER = 200


class Page(Struct, kw_only=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Annotated[int, Meta(ge=0, le=100_000)] = 0


def _page(params: Page, name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    page = {"limit": params.limit, "offset": params.offset, "total": len(rows)}
    return {**page, f"{name}Set": rows[params.offset :][: params.limit]}


def describe_plugins(params: Page) -> dict[str, Any]:
    """List the installed plugins, what became of each, and why."""
    rows = [
        {
            "name": record.name,
            "group": record.found.group,
            "distribution": record.found.dist,
            "version": record.found.version,
            "state": record.state,
            "hooks": list(record.hooks),
            "reason": redact_text(record.reason),
        }
        for record in current_app().plugins.records
    ]
    return _page(params, "plugin", rows)


class DescribeSettings(Page, kw_only=True):
    """Which settings."""

    changed: Annotated[bool, Meta(description="Only those that are not at their default.")] = False


def describe_settings(params: DescribeSettings) -> dict[str, Any]:
    """List the settings with their values; secrets are masked."""
    config = current_app().config
    rows = []
    for name, setting in sorted(config.settings.items()):
        value = getattr(config, name)
        if value == setting.default and params.changed:
            continue
        shown = HIDDEN if setting.secret and value not in (None, "") else _shown(value)
        rows.append({"name": name, "value": shown, "default": _shown(setting.default), "plugin": setting.plugin})
    return _page(params, "setting", rows)


def _shown(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return redact_text(value)
    return [_shown(item) for item in value] if isinstance(value, list | tuple) else value


def describe_schedules(params: Page) -> dict[str, Any]:
    """List the jobs that recur by themselves."""
    specs = sorted(current_app().job_specs.items())
    return _page(params, "schedule", [{"action": name, "every": spec.every} for name, spec in specs if spec.every])


def describe_channels(params: Page) -> dict[str, Any]:
    """List the channels that can tell of failed jobs, and whether each is set up."""
    app = current_app()
    return _page(params, "channel", [_channel(app, name) for name in app.channels])


def _channel(app: App, name: str) -> dict[str, Any]:
    named = app.config.notify_channels
    wanted = named is None or name in named
    try:
        usable, problem = app.channels.get(name)(app.config) is not None, ""
    except Exception as exc:  # noqa: BLE001 - a channel's factory may raise anything; it is shown without secrets
        usable, problem = False, redact_text(f"{type(exc).__name__}: {exc}")
    return {"channel": name, "usable": usable, "used": usable and wanted, "problem": problem}


class TestChannel(Struct, kw_only=True):
    """Which channel to try, and why."""

    channel: Annotated[str, Meta(min_length=1, max_length=100)]
    reason: Reason | None = None


def test_channel(params: TestChannel) -> dict[str, Any]:
    """Send a test notice through a channel and say what the service answered."""
    app = current_app()
    if params.channel not in app.channels:
        raise ResourceNotFound(params.channel)
    channel = app.channels.get(params.channel)(app.config)
    if channel is None:
        raise refusal("/channel", "cannot be used: its settings are not present")
    job = Job(id=new_id("job-"), action="densefog.Test", trys=1)
    try:
        answer: str | None = channel.send(Notification(topic="test", job=job, host=socket.gethostname()))
    except Exception as exc:  # noqa: BLE001 - as above
        sent, answer = False, redact_text(f"{type(exc).__name__}: {exc}")
    else:
        sent = True
    return {"channel": params.channel, "sent": sent, "answer": " ".join((answer or "").split())[:MAX_ANSWER]}


ACTIONS: dict[str, Callable[..., Any]] = {
    "DescribePlugins": describe_plugins,
    "DescribeSettings": describe_settings,
    "DescribeSchedules": describe_schedules,
    "DescribeChannels": describe_channels,
}
