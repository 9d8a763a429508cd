"""The families of exceptions, whose base classes all else is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self


class StartupError(Exception):
    """Start-up stops; the text is the one line that the user sees."""


class ConfigError(StartupError):
    """A setting is missing, of the wrong type or out of range."""


class PluginError(StartupError):
    """A plugin that is needed is not loaded."""


class RegistrationError(StartupError):
    """Something cannot be registered, or nothing is registered under a name."""


class Interrupt(BaseException):
    """Raised from outside in the code that runs; a BaseException, so that ``except Exception`` does not swallow it."""


class BaseIaasException(Exception):
    """Base of every error that clients are told of.

    Attributes:
        ret_code: the number that clients see.
        message: the text that clients see.
        data: more about it, JSON.
    """

    ret_code: int = 5000

    def __new__(cls, *args: object, **options: object) -> Self:  # noqa: D102
        # Here, because the constructors of applications' own classes often do not call this one's.
        error = super().__new__(cls, *args, **options)
        # Past the attributes: a subclass may have properties of these names.
        vars(error).update(message=Exception.__str__(error) or _summary(cls), data={})
        return error

    def __init__(self, message: str = "", data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message or _summary(type(self))
        self.data = data or {}

    def __str__(self) -> str:
        return str(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # The constructors of subclasses take what the error is about rather than a message.
        return _rebuild, (type(self), self.args, self.__dict__)


def _summary(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _rebuild(kind: type[BaseIaasException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseIaasException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class HandleError(BaseIaasException):
    """An application's own error, with the number and the data that it wants.

    Args:
        message: what clients read.
        ret_code: the number.
        data: more about it, JSON.
    """

    def __init__(self, message: str, ret_code: int, data: dict[str, Any] | None = None) -> None:
        super().__init__(message, data)
        self.ret_code = ret_code


class ClientRequestException(BaseIaasException):
    """The request cannot be carried out as it stands."""

    ret_code = 4100


class UnknownAction(ClientRequestException):
    """The API has no such action."""

    ret_code = 4000

    def __init__(self, action: str) -> None:
        super().__init__(f"Unknown action {action[:50]}.")


class InvalidRequestParameter(ClientRequestException):
    """A parameter fits its schema but not the situation."""


class ValidationError(InvalidRequestParameter):
    """The body is not JSON, names no action, or does not fit the schema.

    Args:
        message: what clients read.
        errors: each ``{"path": JSON pointer, "message": text}``.
    """

    ret_code = 4110

    def __init__(self, message: str, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message, {"errors": list(errors)})


class BaseResourceException(ClientRequestException):
    """Something is wrong with a resource.

    Args:
        resource_id: which one.
    """

    text: ClassVar[str] = "Something is wrong with resource ({})."
    resource_id: str = ""

    def __init__(self, resource_id: str) -> None:
        super().__init__(self.text.format(resource_id), {"resourceId": resource_id})
        self.resource_id = resource_id


class ServerInternalError(BaseIaasException):
    """Something failed that the client can do nothing about."""


class BaseJobException(ServerInternalError):
    """Something is wrong with a job."""


class JobNotFound(BaseJobException):
    """There is no such job."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job ({job_id}) is not found.", {"jobId": job_id})


class JobRefused(BaseJobException):
    """A job cannot be enqueued; nothing was written."""


class StepRefused(BaseJobException):
    """A step of a job cannot be done or kept: its name was used before, or its value cannot be stored."""


class DBLockTimeoutError(ServerInternalError):
    """A row lock was not to be had in time."""

    def __init__(self, message: str = "Actions failed.lt") -> None:
        super().__init__(message)
