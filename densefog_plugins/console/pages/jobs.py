"""Lists of jobs, and one job."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from densefog_plugins.console.calls import Refused
from densefog_plugins.console.pages.filters import FIELDS, STATUSES, filter_of, query_of
from densefog_plugins.console.views import Visit, jobs_word

#: What can be done to a job in a status.
VERBS = {"error": ("retry",), "finished": ("retry",), "pending": ("cancel", "run-now"), "running": ("cancel",)}
DONE = {"RetryJobs": "retried", "CancelJobs": "cancelled", "RunJobsNow": "due now"}


def show(visit: Visit) -> Response:
    """Show the jobs of one status."""
    values = _values(visit)
    text = visit.render("jobs_live.html", **values)
    return visit.page("jobs.html", region=visit.region(text), said=_said(visit), fields=FIELDS, **values)


def refresh(visit: Visit) -> Response:
    """Show the part of it that changes."""
    return visit.live("jobs_live.html", **_values(visit))


def _values(visit: Visit) -> dict[str, Any]:
    args = visit.request.args
    status = args.get("status", "error")
    if status not in STATUSES:
        raise NotFound
    which = filter_of(args, status)
    limit = args.get("limit", type=int) or 20
    found, wrong = _find(visit, which, limit, args.get("after"))
    counts = {row["status"]: row for row in visit.caller.get("DescribeJobStats")["counts"]}
    return {"status": status, "found": found, "counts": counts, "statuses": STATUSES, "query": query_of(args),
            "wrong": wrong, "verbs": VERBS[status]}  # fmt: skip


def _find(visit: Visit, which: dict[str, Any], limit: int, after: str | None) -> tuple[dict[str, Any], str]:
    page = {**which, "limit": min(max(limit, 1), 100)}
    try:
        return visit.caller.get("FindJobs", **page, **({"nextToken": after} if after else {})), ""
    except Refused as exc:
        if exc.answer.ret_code != 4110:
            raise
        return {"jobSet": [], "nextToken": None, "lookedAt": None, "limit": limit}, str(exc)


def _said(visit: Visit) -> str:
    """Return what was done, when the page is shown after it; the operation says what it was."""
    did = visit.request.args.get("did")
    if not did:
        return ""
    count, left = (visit.request.args.get(name, 0, type=int) for name in ("n", "left"))
    answer = visit.caller.call("DescribeOperations", {"operationIds": [did[:64]]})
    found = answer.data.get("operationSet") if answer.ret_code == 0 else None
    what = DONE.get(found[0]["action"]) if found else None
    if what is None:
        return ""
    return f"{jobs_word(count)} {what}." + (f" {jobs_word(left)} left alone." if left else "")


def show_one(visit: Visit, job_id: str) -> Response:
    """Show everything about one job."""
    answer = visit.caller.call("DescribeJob", {"jobId": job_id})
    if answer.ret_code:
        raise NotFound
    job = answer.data
    told = visit.caller.call("DescribeOperations", {"resourceIds": [job_id], "limit": 20})
    operations = told.data["operationSet"] if told.ret_code == 0 else []
    return visit.page("job.html", job=job, operations=operations, verbs=VERBS[job["status"]])
