"""What needs a person now."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from densefog_plugins.console.views import Visit, ago

#: Seconds that a due job may wait before somebody should look.
LONG = 60


def show(visit: Visit) -> Response:
    """Show the overview."""
    text = visit.render("overview_live.html", **_values(visit))
    return visit.page("overview.html", region=visit.region(text))


def refresh(visit: Visit) -> Response:
    """Show the part of it that changes."""
    return visit.live("overview_live.html", **_values(visit))


def _values(visit: Visit) -> dict[str, Any]:
    stats = visit.caller.get("DescribeJobStats")
    failures = visit.caller.get("DescribeFailures", limit=10)
    channels = visit.caller.get("DescribeChannels", limit=100)["channelSet"]
    return {
        "failures": failures["failureSet"],
        "capped": failures["capped"],
        "counts": stats["counts"],
        "warnings": _warnings(stats, channels),
        "channels": channels,
    }


def _warnings(stats: dict[str, Any], channels: list[dict[str, Any]]) -> list[str]:
    waited = stats["oldestDue"]
    warnings = [f"Oldest due job has waited {ago(waited)}."] if waited is not None and waited > LONG else []
    if stats["unhandled"]:
        warnings.append(f"No worker handles due jobs of {', '.join(stats['unhandled'])}.")
    return warnings + [f"Channel {one['channel']}: {one['problem']}" for one in channels if one["problem"]]
