"""The actions that every API of densefog serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakKeyDictionary

from msgspec import Meta, Struct

from densefog_core import jsontext
from densefog_core.actions.handlers import ActionRegistry, ActionSpec
from densefog_core.context import current_app, request
from densefog_core.jobs import Job, JobFilter

if TYPE_CHECKING:
    from densefog_core.app import Page
    from densefog_core.server.serving import Api

Ids = Annotated[list[str], Meta(max_length=100)]
#: Further than anybody pages, and what every database can count to.
Offset = Annotated[int, Meta(ge=0, le=10_000_000)]


class DescribeJobs(Struct, kw_only=True):
    """Which jobs to list."""

    job_ids: Ids | None = None
    status: Ids | None = None
    search_word: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Offset = 0
    reverse: bool = True


def describe_jobs(params: DescribeJobs) -> dict[str, Any]:
    """List jobs with their state, result and error; those of the caller's project when there is one."""
    which = JobFilter(
        ids=params.job_ids,
        status=params.status,
        search=params.search_word,
        project_id=request.project_id,
        limit=params.limit,
        offset=params.offset,
        reverse=params.reverse,
    )
    jobs, total = current_app().store.page(which)
    page = {"limit": params.limit, "offset": params.offset, "total": total}
    return {**page, "jobSet": [job_row(job) for job in jobs]}


def job_row(job: Job) -> dict[str, Any]:
    """Return a job as clients see it."""
    return {
        "jobId": job.id,
        "projectId": job.project_id,
        "action": job.action,
        "status": job.status,
        "resourceIds": job.resource_ids,
        "result": job.result,
        "error": job.error,
        "trys": job.trys,
        "tryMax": job.try_max,
        "runAt": job.run_at,
        "created": job.created,
        "updated": job.updated,
    }


class DescribeActions(Struct, kw_only=True):
    """Which actions to list."""

    action_names: Ids | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Offset = 0


def describe_actions(params: DescribeActions) -> dict[str, Any]:
    """List the actions of this API by name, with the JSON Schemas of their parameters and results."""
    specs: dict[str, ActionSpec] = current_app().apis[request.api].specs
    names = sorted(specs if params.action_names is None else specs.keys() & set(params.action_names))
    page = {"limit": params.limit, "offset": params.offset, "total": len(names)}
    return {**page, "actionSet": [action_row(specs[name]) for name in names[params.offset :][: params.limit]]}


def action_row(spec: ActionSpec) -> dict[str, Any]:
    """Return an action as clients see it."""
    return {
        "action": spec.name,
        "summary": spec.summary,
        "description": spec.description,
        "params": spec.params_schema,
        "result": spec.result_schema,
    }


def register(registry: ActionRegistry) -> None:
    """Register the built-in actions."""
    both = ("public", "manage")
    registry.add("DescribeActions", describe_actions, api=both, resource_key="actionNames")
    registry.add("DescribeJobs", describe_jobs, api=both, resource_key="jobIds")


_pages: WeakKeyDictionary[Api, Page] = WeakKeyDictionary()


def openapi_page(api: Api) -> Page:
    """Answer ``/openapi.json``, which is made once: the actions of an API that is served do not change."""
    from densefog_core.actions import openapi
    from densefog_core.app import Page

    if api not in _pages:
        _pages[api] = Page(jsontext.dumps(openapi.document(api)), "application/json")
    return _pages[api]
