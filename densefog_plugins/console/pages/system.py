"""What runs here: plugins, settings, schedules, channels."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from densefog_plugins.console.views import Visit


def show(visit: Visit) -> Response:
    """Show the process."""
    return _show(visit, said="", wrong="")


def _show(visit: Visit, *, said: str, wrong: str, code: int = 200) -> Response:
    changed = visit.request.args.get("changed") == "1"
    return visit.page(
        "system.html",
        code=code,
        said=said,
        wrong=wrong,
        changed=changed,
        plugins=_all(visit, "DescribePlugins", "pluginSet"),
        settings=_all(visit, "DescribeSettings", "settingSet", changed=changed),
        schedules=_all(visit, "DescribeSchedules", "scheduleSet"),
        pauses=visit.caller.get("DescribePauses")["pauseSet"],
        channels=_all(visit, "DescribeChannels", "channelSet"),
    )


def _all(visit: Visit, action: str, name: str, **params: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    rows: list[dict[str, Any]] = []
    while True:
        page = visit.caller.get(action, limit=100, offset=len(rows), **params)
        rows += page[name]
        if not page[name] or len(rows) >= page["total"]:
            return rows


def test_channel(visit: Visit) -> Response:
    """Send a test notice."""
    if not visit.is_operator:
        raise Forbidden("This key may only read.")
    channel = visit.request.form.get("channel", "")
    answer = visit.caller.call("TestChannel", {"channel": channel})
    sent = answer.ret_code == 0 and answer.data["sent"]
    told = answer.data.get("answer") if answer.ret_code == 0 else answer.message
    text = f"Test to {channel}: {'sent' if sent else 'not sent'}. {told or ''}".strip()
    return _show(visit, said=text if sent else "", wrong="" if sent else text)
