"""The actions that every API of densefog serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol
from weakref import WeakKeyDictionary

from msgspec import Meta, Struct

from densefog_core import jsontext
from densefog_core.actions import openapi
from densefog_core.actions.handlers import ActionRegistry, ActionSpec
from densefog_core.actions.records import request
from densefog_core.actions.transports import Page
from densefog_core.errors.catalogue import ErrorRow
from densefog_core.jobs import Job, JobFilter, JobStore
from densefog_core.jobs.sealed import shown
from densefog_core.jobs.told import told

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


class DescribeActions(Struct, kw_only=True):
    """Which actions to list."""

    action_names: Ids | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Offset = 0


def job_row(job: Job, *, raw: bool = False) -> dict[str, Any]:
    """Return a job as clients see it; ``raw``, for operators, with the text of its own error."""
    return {
        "jobId": job.id,
        "projectId": job.project_id,
        "action": job.action,
        "status": job.status,
        "resourceIds": job.resource_ids,
        "result": shown(job.result),
        "error": job.error if raw else told(job.error),
        "trys": job.trys,
        "tryMax": job.try_max,
        "runAt": job.run_at,
        "created": job.created,
        "updated": job.updated,
    }


def action_row(spec: ActionSpec) -> dict[str, Any]:
    """Return an action as clients see it."""
    return {
        "action": spec.name,
        "summary": spec.summary,
        "description": spec.description,
        "params": spec.params_schema,
        "result": spec.result_schema,
        "effect": spec.effect,
        "tags": list(spec.tags),
        "deprecated": None if spec.deprecated is None else spec.deprecated.isoformat(),
        "replacedBy": spec.replaced_by,
    }


def register(
    registry: ActionRegistry, store: Callable[[], JobStore], specs: Callable[[str], Mapping[str, ActionSpec]]
) -> None:
    """Register the built-in actions.

    Args:
        registry: of the application.
        store: returns its job store.
        specs: returns the actions of an API by name.
    """

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
        jobs, total = store().page(which)
        page = {"limit": params.limit, "offset": params.offset, "total": total}
        if request.api != "manage":
            return {**page, "jobSet": [job_row(job) for job in jobs]}
        steps = store().steps.read([job.id for job in jobs]) if jobs else {}
        more = {job_id: {"steps": [step.row() for step in done]} for job_id, done in steps.items()}
        return {**page, "jobSet": [{**job_row(job, raw=True), **more.get(job.id, {})} for job in jobs]}

    def describe_actions(params: DescribeActions) -> dict[str, Any]:
        """List the actions of this API by name, with the JSON Schemas of their parameters and results."""
        served = specs(request.api)
        names = sorted(served if params.action_names is None else served.keys() & set(params.action_names))
        page = {"limit": params.limit, "offset": params.offset, "total": len(names)}
        return {**page, "actionSet": [action_row(served[name]) for name in names[params.offset :][: params.limit]]}

    both = ("public", "manage")
    registry.add("DescribeActions", describe_actions, api=both, resource_key="actionNames", tags=("actions",))
    registry.add("DescribeJobs", describe_jobs, api=both, resource_key="jobIds", tags=("jobs",))


class Served(Protocol):
    """What the page of an API is made of."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def specs(self) -> Mapping[str, ActionSpec]:
        """Its actions by name."""

    @property
    def errors(self) -> Sequence[ErrorRow]:
        """The retCodes that it answers with."""

    @property
    def security(self) -> Mapping[str, dict[str, Any]]:
        """OpenAPI's security schemes by name."""


_pages: WeakKeyDictionary[Served, Page] = WeakKeyDictionary()


def openapi_page(api: Served) -> Page:
    """Answer ``/openapi.json``, which is made once: the actions of an API that is served do not change."""
    if api not in _pages:
        document = openapi.document(api.name, api.specs, errors=api.errors, security=api.security)
        _pages[api] = Page(jsontext.dumps(document), "application/json")
    return _pages[api]
