"""Errors of projects, access keys and quotas."""

from __future__ import annotations

from typing import ClassVar

from densefog_core.errors.base import ClientRequestException


class BaseProjectException(ClientRequestException):
    """Something is wrong with a project.

    Args:
        project_id: which one.
    """

    text: ClassVar[str] = "Something is wrong with project ({})."

    def __init__(self, project_id: str) -> None:
        super().__init__(self.text.format(project_id), {"projectId": project_id})


class ProjectDuplicated(BaseProjectException):
    """There is such a project already."""

    ret_code = 4600
    text = "Project ({}) already exists."


class ProjectNotFound(BaseProjectException):
    """There is no such project."""

    ret_code = 4604
    text = "Project ({}) is not found."


class BaseAccessKeyException(ClientRequestException):
    """Something is wrong with an access key.

    Args:
        access_key: the key's id, which is no secret.
    """

    text: ClassVar[str] = "Something is wrong with access key ({})."

    def __init__(self, access_key: str) -> None:
        super().__init__(self.text.format(access_key), {"accessKey": access_key})


class AccessKeyExpired(BaseAccessKeyException):
    """The key was valid once."""

    ret_code = 4101
    text = "Authorization failed. Your access key ({}) is expired."


class AccessKeyInvalid(BaseAccessKeyException):
    """The key is unknown, deleted, or its secret is wrong."""

    ret_code = 4101
    text = "Authorization failed. Your access key ({}) is invalid."


class ManageAccessKeyInvalid(BaseAccessKeyException):
    """The key does not open the manage API."""

    ret_code = 4601
    text = "Manage authorization failed. Manage access key ({}) is invalid."


class AccessKeyReadOnly(BaseAccessKeyException):
    """The key may call what reads, and nothing else.

    .. versionadded:: 1.0
    """

    ret_code = 4603
    text = "Access key ({}) may only read."


class AccessKeyNotFound(BaseAccessKeyException):
    """There is no such key."""

    ret_code = 4614
    text = "Access key ({}) is not found."


class AccessKeyDuplicated(BaseAccessKeyException):
    """There is such a key already."""

    ret_code = 4611
    text = "Access key ({}) already exists."


class ResourceQuotaNotEnough(ClientRequestException):
    """The project may not have so many.

    Args:
        resource: name of the quota.
        quota: how many the project may have.
        used: how many it has.
        want: how many more were asked for.
    """

    ret_code = 4113

    def __init__(self, resource: str, quota: int, used: int, want: int) -> None:
        super().__init__(
            f"Project quota[{resource}] not enough: want [{want}], but have [{quota - used}].",
            {"quota": quota, "used": used, "want": want},
        )


__all__ = [
    "AccessKeyDuplicated",
    "AccessKeyExpired",
    "AccessKeyInvalid",
    "AccessKeyNotFound",
    "ManageAccessKeyInvalid",
    "ProjectDuplicated",
    "ProjectNotFound",
    "ResourceQuotaNotEnough",
]
