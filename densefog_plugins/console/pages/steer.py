"""Ask, then do: each change of jobs is counted on a page first, and has its number in its button."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from densefog_plugins.console.calls import Answer, Refused
from densefog_plugins.console.pages.filters import command, filter_of, query_of
from densefog_plugins.console.views import Visit

ACTIONS = {"retry": "RetryJobs", "cancel": "CancelJobs", "run-now": "RunJobsNow"}
TITLES = {"retry": "Retry", "cancel": "Cancel", "run-now": "Run now"}
DEFAULT = {"retry": "error", "cancel": "pending", "run-now": "pending"}
#: Jobs that the page shows.
FIRST = 20


def ask(visit: Visit, verb: str) -> Response:
    """Count the jobs, and say which ones would be left alone."""
    _check(visit)
    return _ask(visit, verb, visit.request.args, wrong="")


def do(visit: Visit, verb: str) -> Response:
    """Do it to the jobs that were counted."""
    _check(visit)
    form = visit.request.form
    params = {**_which(form, verb), "reason": form.get("reason", "").strip(), "asOf": form.get("asOf")}
    given = {name: value for name, value in params.items() if value}
    answer = visit.caller.call(ACTIONS[verb], given)
    if answer.ret_code == 4110:
        return _ask(visit, verb, form, wrong=answer.message or "", code=400)
    if not answer.has_done_something:
        return _ask(visit, verb, form, wrong=_why(answer), code=409)
    left = len(answer.data.get("failures", ()))
    shown = {"status": form.get("status") or DEFAULT[verb]}
    return visit.go("jobs", **shown, did=answer.operation_id or "-", n=str(answer.data["total"]), left=left or None)


def _check(visit: Visit) -> None:
    if not visit.is_operator:
        raise Forbidden("This key may only read.")


def _why(answer: Answer) -> str:
    failures = answer.data.get("failures") or [{"message": answer.message}]
    return str(failures[0]["message"])


def _which(args: Any, verb: str) -> dict[str, Any]:  # noqa: ANN401 - a MultiDict
    if ids := args.getlist("jobId"):
        return {"jobIds": ids[:100]}
    return {"filter": filter_of(args, args.get("status") or DEFAULT[verb])}


def _ask(visit: Visit, verb: str, args: Any, *, wrong: str, code: int = 200) -> Response:  # noqa: ANN401
    which = _which(args, verb)
    answer = visit.caller.call(ACTIONS[verb], {**which, "dryRun": True})
    if answer.ret_code:
        raise Refused(answer)
    plan = answer.data
    jobs = [visit.caller.call("DescribeJob", {"jobId": one}).data for one in plan["jobIds"][:FIRST]]
    query = {"status": args.get("status"), **query_of(args)}
    shown = {name: value for name, value in query.items() if value} if "filter" in which else {}
    return visit.page(
        "steer.html",
        code=code,
        verb=verb,
        title=TITLES[verb],
        plan=plan,
        jobs=jobs,
        wrong=wrong,
        query=shown,
        ids=which.get("jobIds", []),
        needs_reason=verb == "cancel" or "filter" in which,
        command=command(verb, {**shown, "reason": "..."}, which.get("jobIds", [])),
    )
