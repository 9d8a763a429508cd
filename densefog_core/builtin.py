"""The actions that every API of densefog serves."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from densefog_core.actions import ActionRegistry
from densefog_core.context import current_app, request
from densefog_core.jobs import Job, JobFilter

Ids = Annotated[list[str], Meta(max_length=100)]


class DescribeJobs(Struct, kw_only=True):
    """Which jobs to list."""

    job_ids: Ids | None = None
    status: list[str] | None = None
    search_word: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Annotated[int, Meta(ge=0)] = 0
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


def register(registry: ActionRegistry) -> None:
    """Register the built-in actions."""
    registry.add("DescribeJobs", describe_jobs, api=("public", "manage"), resource_key="jobIds")


def openapi_page(api: Any) -> Any:  # noqa: ANN401
    """Answer ``/openapi.json``."""
    from densefog_core import jsontext, openapi
    from densefog_core.app import Page

    document = openapi.document(api.specs.values(), title=f"densefog API {api.name}", version="1")
    return Page(jsontext.dumps(document), "application/json")
