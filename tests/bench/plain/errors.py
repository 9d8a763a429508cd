"""What clients are told when a call is refused."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A call is refused.

    Args:
        about: fills the class's text.
        data: more about it, JSON.
    """

    code = 5000
    text = "An error occurred while processing your request."

    def __init__(self, about: str = "", **data: Any) -> None:
        super().__init__(self.text.format(about))
        self.data = data


class UnknownAction(ApiError):
    """There is no such action."""

    code, text = 4000, "Unknown action {}."


class InvalidParameter(ApiError):
    """A parameter does not fit the situation."""

    code, text = 4100, "{}"


class IllegalRequest(ApiError):
    """The body is not JSON or does not fit the action's parameters.

    Args:
        problems: path and message of each.
    """

    code, text = 4110, "Illegal request format: {}"

    def __init__(self, *problems: tuple[str, str]) -> None:
        errors = [{"path": path, "message": message} for path, message in problems]
        super().__init__(" ".join(problems[0]).strip(), errors=errors)


class AccessKeyError(ApiError):
    """The access key does not open the API."""

    code, text = 4101, "Authorization failed. Your access key ({}) is invalid."

    def __init__(self, key: str) -> None:
        super().__init__(key, accessKey=key)


class AccessKeyExpired(AccessKeyError):
    """It did once."""

    text = "Authorization failed. Your access key ({}) is expired."


class QuotaNotEnough(ApiError):
    """The project may not have so many."""

    code, text = 4113, "Project quota{}."

    def __init__(self, resource: str, quota: int, used: int, want: int) -> None:
        about = f"[{resource}] not enough: want [{want}], but have [{quota - used}]"
        super().__init__(about, quota=quota, used=used, want=want)


class ResourceError(ApiError):
    """The resource does not allow the action."""

    code, text = 4105, "Resource ({}) action is forbidden."

    def __init__(self, resource_id: str) -> None:
        super().__init__(resource_id, resourceId=resource_id)


class Foreign(ResourceError):
    """It is another project's."""

    code, text = 4103, "You have no permission on this resource ({})."


class NotFound(ResourceError):
    """There is none."""

    code, text = 4104, "Resource ({}) is not found."


class Busy(ResourceError):
    """A task is at work on it."""

    text = "Cannot do the action, because resource ({}) is busy now."


class Deleted(ResourceError):
    """It is gone."""

    text = "Cannot do the action, because resource ({}) is deleted."


class InError(ResourceError):
    """It is broken."""

    text = "Cannot do the action, because resource ({}) is in error."


class AllFailed(ApiError):
    """None of several resources could do what was asked."""

    code, text = 5001, "{}"
