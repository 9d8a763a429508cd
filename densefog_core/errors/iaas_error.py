"""Errors of requests, resources, the provider and jobs: what application code raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from densefog_core.errors.base import (
    BaseIaasException,
    BaseJobException,
    BaseResourceException,
    ClientRequestException,
    DBLockTimeoutError,
    HandleError,
    InvalidRequestParameter,
    JobNotFound,
    JobRefused,
    ServerInternalError,
    StepRefused,
    UnknownAction,
    ValidationError,
)


class ResourceNotBelongsToProject(BaseResourceException):
    """The resource is another project's."""

    ret_code = 4103
    text = "You have no permission on this resource ({})."


class ResourceNotFound(BaseResourceException):
    """There is no such resource."""

    ret_code = 4104
    text = "Resource ({}) is not found."


class ResourceActionForbiden(BaseResourceException):
    """The resource's state does not allow the action."""

    ret_code = 4105
    text = "Resource ({}) action is forbidden."


ResourceActionForbidden = ResourceActionForbiden


class ResourceIsBusy(ResourceActionForbiden):
    """A job is at work on the resource."""

    text = "Cannot do the action, because resource ({}) is busy now."


class ResourceIsDeleted(ResourceActionForbiden):
    """The resource is gone."""

    text = "Cannot do the action, because resource ({}) is deleted."


class ResourceIsInError(ResourceActionForbiden):
    """The resource is broken."""

    text = "Cannot do the action, because resource ({}) is in error."


class ActionPaused(ClientRequestException):
    """The jobs of the action are paused; the message says why, and until when.

    Args:
        action: which one.
        why: what its operators say.
        until: naive UTC, or None.

    .. versionadded:: 1.0
    """

    ret_code = ResourceActionForbiden.ret_code

    def __init__(self, action: str, why: str, until: datetime | None) -> None:
        end = "" if until is None else f" until {until:%Y-%m-%dT%H:%M:%SZ}"
        super().__init__(f"{action} is paused{end}: {why}", {"action": action, "reason": why, "until": until})


class ResourceActionUnsupported(BaseResourceException):
    """The resource is of a kind that does not have the action."""

    ret_code = 4106
    text = "Resource ({}) action is unsupported."


class IaasProviderActionError(ServerInternalError):
    """The provider did not do what it was asked.

    Clients read ``Action failed.op``; the arguments are for the log, and for clients in debug only: a provider's text
    may name its hosts and accounts.

    Args:
        exception: what its client raised.
        stacktrace: where.
        message: more about it.
    """

    ret_code = 5001
    exception: object = None
    stacktrace: str = ""
    detail: str | None = None

    def __init__(self, exception: object, stacktrace: str = "", message: str | None = None) -> None:
        super().__init__("Action failed.op")
        self.exception = exception
        self.stacktrace = stacktrace
        self.detail = message


class ActionsPartialSuccessError(ServerInternalError):
    """Some resources of a batch, or all of them, could not be acted on.

    Args:
        exceptions: one ``{"exception": error, "<any key>": id}`` for each that failed.
        results: ids, or results, of those that worked.
        job_id: the job that goes on with those that worked; without results these are its ``resource_ids``.
    """

    ret_code = 5001
    exceptions: Sequence[Mapping[str, Any]] = ()
    results: Sequence[Any] = ()
    job_id: str | None = None

    def __init__(
        self, exceptions: Sequence[Mapping[str, Any]], results: Sequence[Any] = (), job_id: str | None = None
    ) -> None:
        self.exceptions = [dict(one) for one in exceptions]
        self.results = list(results)
        self.job_id = job_id
        self.ret_code = 5002 if self.did_something else 5001
        if self.did_something:
            text = "Actions partial success"
        else:
            text = "Action failed." if len(self.exceptions) == 1 else "Actions all failed."
        super().__init__(text)

    @property
    def did_something(self) -> bool:
        """Whether something worked, so that what was written for it must stay."""
        return bool(self.results or self.job_id)


class BaseWaiterError(ServerInternalError):
    """Waiting for an object came to nothing."""


class WaitObjectInterrupt(BaseWaiterError):
    """The object went into a state from which the awaited one cannot be reached."""


class WaitObjectTimeout(BaseWaiterError):
    """The object did not reach the awaited state in time."""


class WaitObjectNotFound(BaseWaiterError):
    """The object that was waited for is gone."""


__all__ = [
    "ActionPaused",
    "ActionsPartialSuccessError",
    "BaseIaasException",
    "BaseJobException",
    "BaseResourceException",
    "BaseWaiterError",
    "ClientRequestException",
    "DBLockTimeoutError",
    "HandleError",
    "IaasProviderActionError",
    "InvalidRequestParameter",
    "JobNotFound",
    "JobRefused",
    "ResourceActionForbidden",
    "ResourceActionForbiden",
    "ResourceActionUnsupported",
    "ResourceIsBusy",
    "ResourceIsDeleted",
    "ResourceIsInError",
    "ResourceNotBelongsToProject",
    "ResourceNotFound",
    "ServerInternalError",
    "StepRefused",
    "UnknownAction",
    "ValidationError",
    "WaitObjectInterrupt",
    "WaitObjectNotFound",
    "WaitObjectTimeout",
]


class Unreadable(ServerInternalError):
    """No key of setting secret_keys opens this text; give the key that sealed it, after the others.

    .. versionadded:: 1.0
    """
