"""The rows of the error table as documents name them: one name for each retCode."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from densefog_core.errors.base import BaseIaasException

#: The contract's rows. Several exceptions share a retCode, and clients see the retCode alone.
_NAMES = {
    4000: ("UnknownAction", "The API has no such action."),
    4100: ("InvalidRequestParameter", "A parameter is wrong."),
    4101: ("AccessKeyInvalid", "The access key, its secret or its signature is wrong, or expired."),
    4103: ("ResourceNotBelongsToProject", "The resource is another project's, or the caller may not do this."),
    4104: ("ResourceNotFound", "There is no such resource."),
    4105: ("ResourceActionForbidden", "The resource's state does not allow it now."),
    4106: ("ResourceActionUnsupported", "The resource, or the API, does not do this any more."),
    4110: ("ValidationError", "The request does not fit; data.errors says where."),
    4113: ("ResourceQuotaNotEnough", "The project's quota does not allow so much."),
    4129: ("TooManyRequests", "Too many calls; wait before the next one."),
    4600: ("ProjectDuplicated", "There is a project of this id."),
    4601: ("ManageAccessKeyInvalid", "The key is not one for operators."),
    4603: ("AccessKeyReadOnly", "The key may only read."),
    4604: ("ProjectNotFound", "There is no such project."),
    4611: ("AccessKeyDuplicated", "There is a key of this id."),
    4614: ("AccessKeyNotFound", "There is no such key."),
    5000: ("InternalError", "Something is wrong with the server."),
    5001: ("ActionFailed", "The action failed, and nothing of it was done."),
    5002: ("PartialSuccess", "Some resources were acted on; data.failures lists the others."),
}


class ErrorRow(NamedTuple):
    """One retCode.

    Attributes:
        code: the retCode.
        name: what a client calls it.
        description: what it means, a sentence.
    """

    code: int
    name: str
    description: str


def rows(registered: Collection[tuple[type[BaseException], int]], packages: Collection[str]) -> list[ErrorRow]:
    """Return every retCode that an application can answer with, in order.

    Args:
        registered: classes that were registered with a retCode.
        packages: top-level packages whose own exceptions count, those of the application.
    """
    found = {code: ErrorRow(code, *row) for code, row in _NAMES.items()}
    own = ((kind, vars(kind)["ret_code"]) for kind in _subclasses(BaseIaasException) if "ret_code" in vars(kind))
    mine = [(kind, code) for kind, code in own if kind.__module__.partition(".")[0] in packages]
    for kind, code in sorted([*registered, *mine], key=lambda one: (one[1], one[0].__name__)):
        summary = (kind.__doc__ or "").strip().partition("\n")[0]
        if isinstance(code, int) and code not in found:
            found[code] = ErrorRow(code, kind.__name__, summary)
    return sorted(found.values())


def _subclasses(kind: type[BaseIaasException]) -> Iterator[type[BaseIaasException]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
