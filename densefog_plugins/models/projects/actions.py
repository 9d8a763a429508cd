"""What operators can ask of projects and keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from densefog_core import action
from densefog_core.errors.iaas_error import InvalidRequestParameter
from densefog_plugins.models.listparams import Ids, ListParams
from densefog_plugins.models.lists import describe
from densefog_plugins.models.projects import keys
from densefog_plugins.models.projects.proofs import Use
from densefog_plugins.models.projects.tables import AccessKey, Project

Id = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9._-]+(?![\s\S])")]
Name = Annotated[str, Meta(max_length=100)]
KEY_OPERATION = ("access_key", "accessKey")
PROJECT_OPERATION = ("project", "projectId")


class CreateProject(Struct):
    """What the project is called."""

    project_id: Id | None = None
    name: Name = ""


@action(effect="create", operation=PROJECT_OPERATION)
def create_project(params: CreateProject) -> dict[str, Any]:
    """Create a project."""
    return {"projectId": keys.create_project(params.project_id, params.name).id}


class ProjectId(Struct):
    """Which project."""

    project_id: Id


@action(effect="destroy", operation=PROJECT_OPERATION)
def delete_project(params: ProjectId) -> dict[str, Any]:
    """Delete a project; its keys are refused from now on."""
    keys.delete_project(params.project_id)
    return {"projectId": params.project_id}


class DescribeProjects(ListParams):
    """Which page of the projects."""

    project_ids: Ids | None = None


@action(effect="read", tags=("projects",))
def describe_projects(params: DescribeProjects) -> dict[str, Any]:
    """List projects."""
    return describe(Project, params, "projectSet", project_id=None, ids=params.project_ids)


class CreateAccessKey(Struct):
    """Whose key: a project's, or one for operators. A key that clients have already is taken over as it is."""

    project_id: Id | None = None
    manage: bool = False
    read_only: bool = False
    access_key: Id | None = None
    access_secret: Annotated[str, Meta(min_length=20, max_length=200)] | None = None
    name: Name = ""
    expires: datetime | None = None
    use: Use | None = None
    public_key: Annotated[str, Meta(max_length=1000)] | None = None


@action(effect="create", operation=KEY_OPERATION)
def create_access_key(params: CreateAccessKey) -> dict[str, Any]:
    """Create an access key; its secret is in this reply and nowhere else."""
    if params.manage is (params.project_id is not None):
        raise InvalidRequestParameter("Give either projectId or manage.")
    row, secret = keys.create_key(
        params.project_id, key=params.access_key, secret=params.access_secret, name=params.name,
        expires=_naive(params.expires), read_only=params.read_only, use=params.use, public_key=params.public_key,
    )
    return {"accessKey": row.id, "accessSecret": secret or None}


class Key(Struct):
    """Which access key."""

    access_key: Id


class ExpireAccessKey(Key):
    """Which access key ends when; without a time, now."""

    expires: datetime | None = None


@action(effect="change", operation=KEY_OPERATION)
def expire_access_key(params: ExpireAccessKey) -> dict[str, Any]:
    """Let an access key end, now or at a time."""
    return {"accessKey": params.access_key, "expires": keys.expire_key(params.access_key,
    _naive(params.expires)).expires}


@action(effect="change", operation=KEY_OPERATION)
def rotate_access_key(params: Key) -> dict[str, Any]:
    """Give an access key a new secret; the one before is refused from now on."""
    return {"accessKey": params.access_key, "accessSecret": keys.rotate_key(params.access_key)}


@action(effect="destroy", operation=KEY_OPERATION)
def delete_access_key(params: Key) -> dict[str, Any]:
    """Delete an access key; it is refused from now on."""
    keys.delete_key(params.access_key)
    return {"accessKey": params.access_key}


class DescribeAccessKeys(ListParams):
    """Which page of the access keys, of one project or of all."""

    project_id: Id | None = None
    access_keys: Ids | None = None


@action(effect="read", tags=("access_keys",))
def describe_access_keys(params: DescribeAccessKeys) -> dict[str, Any]:
    """List access keys, without their secrets."""
    return describe(AccessKey, params, "accessKeySet", project_id=params.project_id, ids=params.access_keys)


def _naive(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


MANAGE: dict[str, Callable[..., Any]] = {
    "CreateProject": create_project,
    "DeleteProject": delete_project,
    "DescribeProjects": describe_projects,
    "CreateAccessKey": create_access_key,
    "ExpireAccessKey": expire_access_key,
    "RotateAccessKey": rotate_access_key,
    "DeleteAccessKey": delete_access_key,
    "DescribeAccessKeys": describe_access_keys,
}
