"""What operators and tenants can ask of quotas."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from sqlalchemy import select

from densefog_core import action
from densefog_core.actions import request
from densefog_plugins.models.quotas import counting
from densefog_plugins.models.quotas.table import Quota
from densefog_plugins.models.sessions import current_session


class ProjectId(Struct):
    """Which project."""

    project_id: Annotated[str, Meta(min_length=1, max_length=32, pattern="^[A-Za-z0-9._-]+$")]


class SetQuota(ProjectId):
    """How many of what a project may have; -1 is without a limit."""

    resource: Annotated[str, Meta(min_length=1, max_length=50)]
    quota: Annotated[int, Meta(ge=-1, le=2_000_000_000)]


@action(effect="change", operation=("project", "projectId"), tags=("quotas",))
def set_quota(params: SetQuota) -> dict[str, Any]:
    """Say how many of something a project may have."""
    counting.set_quota(params.project_id, params.resource, params.quota)
    return {"projectId": params.project_id}


@action(effect="read", tags=("quotas",))
def describe_quotas(params: ProjectId) -> dict[str, Any]:
    """List a project's quotas and how much of them is used."""
    query = select(Quota).where(Quota.project_id == params.project_id).order_by(Quota.resource)
    return {"quotaSet": current_session().scalars(query).all()}


@action(effect="read", tags=("quotas",))
def describe_own_quotas() -> dict[str, Any]:
    """List the project's quotas and how much of them is used."""
    return describe_quotas(ProjectId(request.project_id or ""))
