"""The server whose wire the golden tests read: ``python -m tests.contract.application '{"app_root": ...}'``.

Every fact of the contract has an action here that brings it about.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import gevent

import densefog_plugins.log
import densefog_plugins.models
import densefog_plugins.worker
import densefog_plugins.wsgi
from densefog_core import config, enqueue, hookimpl, request
from densefog_core.app import App
from densefog_core.context import carry, get_context_id
from densefog_core.current import current_app, set_current_app
from densefog_core.errors import ClientRequestException, HandleError, iaas_error, project_error
from densefog_core.jobs import JobFilter
from densefog_core.server import create_api

logger = logging.getLogger("contract")


class TeapotError(ClientRequestException):
    """An application's own error, by subclass."""

    ret_code = 4418


class TemperedTeapotError(TeapotError):
    """Has no number of its own: its base's counts."""


class LibraryError(Exception):
    """A library's error, which is registered."""


class RefinedLibraryError(LibraryError):
    """A more specific one, registered too."""


class UnlistedLibraryError(RefinedLibraryError):
    """Not registered itself: the nearest base that is counts."""


class ForeignError(Exception):
    """An error that only the hook knows."""


class Errors:
    @hookimpl
    def densefog_register_errors(self, registry: Any) -> None:
        registry.add(LibraryError, code=4501, message="the library is closed")
        registry.add(
            RefinedLibraryError,
            code=4502,
            message=lambda error: f"refined: {error}",
            data=lambda error: {"shelf": 7},
        )

    @hookimpl
    def densefog_map_error(self, error: Exception) -> Exception | None:
        return iaas_error.ResourceNotFound("vol-mapped") if isinstance(error, ForeignError) else None


def failures(*ids: str) -> list[dict[str, Any]]:
    return [{"exception": iaas_error.ResourceNotFound(one), "volumeId": one} for one in ids]


ERRORS = {
    "InvalidRequestParameter": lambda: iaas_error.InvalidRequestParameter("size and image do not go together"),
    "ValidationError": lambda: iaas_error.ValidationError("no", [{"path": "/size", "message": "too big"}]),
    "AccessKeyExpired": lambda: project_error.AccessKeyExpired("AK1"),
    "AccessKeyInvalid": lambda: project_error.AccessKeyInvalid("AK1"),
    "ResourceNotBelongsToProject": lambda: iaas_error.ResourceNotBelongsToProject("vol-1"),
    "ResourceNotFound": lambda: iaas_error.ResourceNotFound("vol-1"),
    "ResourceActionForbiden": lambda: iaas_error.ResourceActionForbiden("vol-1"),
    "ResourceActionForbidden": lambda: iaas_error.ResourceActionForbidden("vol-1"),
    "ResourceIsBusy": lambda: iaas_error.ResourceIsBusy("vol-1"),
    "ResourceIsDeleted": lambda: iaas_error.ResourceIsDeleted("vol-1"),
    "ResourceIsInError": lambda: iaas_error.ResourceIsInError("vol-1"),
    "ResourceActionUnsupported": lambda: iaas_error.ResourceActionUnsupported("vol-1"),
    "ResourceQuotaNotEnough": lambda: project_error.ResourceQuotaNotEnough("volumes", 10, 8, 3),
    "ProjectDuplicated": lambda: project_error.ProjectDuplicated("prj-1"),
    "ProjectNotFound": lambda: project_error.ProjectNotFound("prj-1"),
    "ManageAccessKeyInvalid": lambda: project_error.ManageAccessKeyInvalid("AK1"),
    "AccessKeyNotFound": lambda: project_error.AccessKeyNotFound("AK1"),
    "AccessKeyDuplicated": lambda: project_error.AccessKeyDuplicated("AK1"),
    "IaasProviderActionError": lambda: iaas_error.IaasProviderActionError(
        RuntimeError("nova says no"), "trace of nova.boot"
    ),
    "ProviderWithMessage": lambda: iaas_error.IaasProviderActionError(RuntimeError("x"), "", "Try tomorrow."),
    "OneFailed": lambda: iaas_error.ActionsPartialSuccessError(failures("vol-1")),
    "AllFailed": lambda: iaas_error.ActionsPartialSuccessError(failures("vol-1", "vol-2")),
    "SomeFailed": lambda: iaas_error.ActionsPartialSuccessError(failures("vol-1"), ["vol-2"], "job-1"),
    "UnknownFailed": lambda: iaas_error.ActionsPartialSuccessError(
        [{"exception": KeyError("the password"), "volumeId": "vol-1"}], ["vol-2"]
    ),
    "AnythingElse": lambda: RuntimeError("disk 7 of host 3 is broken"),
    "OwnSubclass": lambda: TeapotError("short and stout", {"spout": 1}),
    "OwnSubSubclass": lambda: TemperedTeapotError("tempered"),
    "HandleError": lambda: HandleError("the moon is full", 4777, {"phase": "full"}),
    "Registered": lambda: LibraryError("an inner matter"),
    "RegisteredRefined": lambda: RefinedLibraryError("sugar"),
    "RegisteredByBase": lambda: UnlistedLibraryError("salt"),
    "DataThatIsNotJSON": lambda: HandleError("odd", 4778, {"odd": object()}),
    "MessageThatIsNotText": lambda: HandleError("half a \ud800 pair", 4779),
    "Exit": lambda: SystemExit(3),
    "Interrupt": lambda: KeyboardInterrupt(),
    "MappedByHook": lambda: ForeignError("far away"),
}


class Shown:
    """Says itself how it looks in JSON."""

    def jsonable(self) -> dict[str, str]:
        return {"shown": "by itself"}


def fail(params: dict[str, Any]) -> None:
    raise ERRORS[params["error"]]()


def echo(params: dict[str, Any]) -> dict[str, Any]:
    return {"params": params, "request": request.params, "same": params == request.params}


def values() -> dict[str, Any]:
    return {
        "naive": datetime(2026, 1, 2, 3, 4, 5, 999_999),
        "utc": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "east": datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        "object": Shown(),
        "set": {7},
        "tuple": (1, 2),
        "generator": (number * number for number in range(3)),
        "text": "Zürich ☁",
    }


def counting() -> Iterator[int]:
    yield from (1, 2, 3)


def broken(params: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, Any] = {"nan": float("nan"), "inf": float("inf"), "object": object(), "bytes": b"x"}
    kinds["surrogate"] = "\ud800"
    return {"deep": [{"down": kinds[params["kind"]]}]}


def where(params: dict[str, Any]) -> dict[str, Any]:
    """Return the context id as it stands before and after waiting, and in a greenlet and a thread started from here."""
    seen = {"before": get_context_id()}
    logger.info("marker %s", params.get("marker"))
    gevent.sleep(params.get("seconds", 0))
    seen["after"] = get_context_id()
    seen["greenlet"] = gevent.spawn(carry(get_context_id)).get()
    found: list[str] = []
    thread = threading.Thread(target=carry(lambda: found.append(get_context_id())))
    thread.start()
    thread.join()
    return {**seen, "thread": found[0], "request": request.context_id}


def leave(params: dict[str, Any]) -> dict[str, Any]:
    """Return what the request before left behind, and leave something for the next one."""
    found = getattr(request, "left_over", None)
    request.left_over = params["value"]
    return {"found": found, "orphan": gevent.spawn(get_context_id).get()}


def log_secrets(params: dict[str, Any]) -> dict[str, Any]:
    logger.warning("the params: %s", params)
    logger.warning("and again: %(password)s of %(user)s", params)
    logger.warning("in a text: password=%s", params["password"])
    try:
        raise RuntimeError(f"cannot log in with password={params['password']}")
    except RuntimeError:
        logger.exception("in a traceback")
    return {}


def start_job(params: dict[str, Any]) -> dict[str, Any]:
    options = params.get("options", {})
    if "run_in" in options:
        options["run_at"] = timedelta(seconds=options.pop("run_in"))
    return {"jobId": enqueue(params.get("job", "Work"), params.get("params", {}), **options)}


def run_jobs() -> dict[str, Any]:
    app = current_app()
    order.clear()
    return {"tries": app.pick(app.workers, "gevent")(app).run_pending(), "order": order}


def stored(params: dict[str, Any]) -> dict[str, Any]:
    jobs, _ = current_app().store.list(JobFilter(ids=params["jobIds"]))
    return {"params": [job.params for job in jobs]}


order: list[str] = []


def work(params: dict[str, Any]) -> Any:
    order.append(params.get("label", ""))
    if params.get("fail"):
        raise RuntimeError("the work failed, password=hunter2")
    return {"done": [1, 2, {"three": None}]}


def slow(params: dict[str, Any], time_sleep: Any) -> None:
    time_sleep(30)


def where_job(job: Any) -> dict[str, str]:
    logger.info("marker in job %s", job.id)
    return {"context": get_context_id()}


ROUTES: dict[str, Any] = {
    "Fail": fail, "Echo": echo, "Values": values, "Counting": counting, "Broken": broken, "Where": where,
    "Leave": leave, "LogSecrets": log_secrets, "StartJob": start_job, "RunJobs": run_jobs, "Stored": stored,
    "Nothing": lambda: None,
}  # fmt: skip


class Jobs:
    @hookimpl
    def densefog_register_actions(self, registry: Any) -> None:
        registry.add("FailVolumes", fail, resource_key="volumeIds")

    @hookimpl
    def densefog_register_jobs(self, registry: Any) -> None:
        registry.add("Work", work, try_max=1)
        registry.add("Slow", slow, try_max=1, timeout=0.2)
        registry.add("WhereJob", where_job)


PLUGINS = (
    densefog_plugins.wsgi, densefog_plugins.models, densefog_plugins.worker, densefog_plugins.log, Errors(), Jobs(),
)  # fmt: skip


def main() -> None:
    config.setup(gevent=True).apply(**json.loads(sys.argv[1]))
    app = App().load(found=[], plugins=PLUGINS)
    set_current_app(app)
    api = create_api("public").route(ROUTES)
    if not config.CONF.db_url:
        app.store.init()
    api.start(port=0)


if __name__ == "__main__":
    main()
