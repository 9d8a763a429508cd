"""What was done to a resource: its operations and its jobs, by time."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from densefog_plugins.console.pages.filters import STATUSES
from densefog_plugins.console.views import Visit

#: Rows of each kind.
MOST = 50


def look_up(visit: Visit) -> Response:
    """Ask for a resource's id."""
    if wanted := visit.request.args.get("id", "").strip():
        from urllib.parse import quote

        return visit.go(f"resources/{quote(wanted[:64], safe='')}")
    return visit.page("resources.html")


def show(visit: Visit, resource_id: str) -> Response:
    """Show what was done to it."""
    history = [*_operations(visit, resource_id), *_jobs(visit, resource_id)]
    history.sort(key=lambda row: str(row["at"]), reverse=True)
    return visit.page("resource.html", resource_id=resource_id, history=history)


def _operations(visit: Visit, resource_id: str) -> list[dict[str, Any]]:
    answer = visit.caller.call("DescribeOperations", {"resourceIds": [resource_id], "limit": MOST})
    if answer.ret_code:
        return []
    return [
        {"at": one["created"], "what": one["action"], "who": one["accessKey"], "job": "",
         "outcome": "done" if one["retCode"] == 0 else f"retCode {one['retCode']}",
         "why": (one["params"] or {}).get("reason", "") if isinstance(one["params"], dict) else ""}
        for one in answer.data["operationSet"]
    ]  # fmt: skip


def _jobs(visit: Visit, resource_id: str) -> list[dict[str, Any]]:
    found = [
        job
        for status in STATUSES
        for job in visit.caller.get("FindJobs", status=status, resourceId=resource_id, limit=MOST)["jobSet"]
    ]
    return [
        {
            "at": job["created"],
            "what": job["action"],
            "who": "",
            "job": job["jobId"],
            "outcome": job["status"],
            "why": "",
        }
        for job in found
    ]
