"""Any exception in; retCode, message and data out."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from densefog_core.errors import catalogue
from densefog_core.errors.base import BaseIaasException, RegistrationError
from densefog_core.errors.catalogue import ErrorRow
from densefog_core.errors.iaas_error import ActionsPartialSuccessError, IaasProviderActionError

#: What clients read when something failed that they should know nothing of.
INTERNAL_CODE = 5000
INTERNAL = "An error occurred while processing your request."

Text = str | Callable[[Any], str] | None
Data = Callable[[Any], dict[str, Any] | None] | None
MapError = Callable[[Exception], Exception | None]

_logger = logging.getLogger("densefog.errors")


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What an exception is answered with.

    Attributes:
        ret_code: the number.
        message: the text.
        data: ``exceptionTag`` and what the error is about.
        is_fault: whether the fault is this side's, so that the traceback belongs in the log; a batch's is, when that of
            one of its failures is.
    """

    ret_code: int
    message: str
    data: dict[str, Any]
    is_fault: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    code: int
    message: Text
    data: Data
    owner: str


class ErrorTable:
    """Exceptions by class. A class's own ``ret_code`` counts as an entry; the most specific class of the MRO wins.

    Attributes:
        resources_of: returns what a job is about, by its id, for a partial success that names only a job.
    """

    def __init__(self) -> None:
        self.resources_of: Callable[[str], Sequence[str]] = lambda job_id: []
        self._entries: dict[type[BaseException], _Entry] = {}
        self._found: dict[type[BaseException], _Entry | None] = {}
        self._owner = "the application"
        self._frozen = False
        self._check: Callable[[str, str], None] = lambda what, hook: None

    @contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """Take everything added in the block as ``owner``'s; when the block raises, nothing of it stays."""
        before, entries = self._owner, dict(self._entries)
        self._owner = owner
        try:
            yield
        except BaseException:
            self._entries = entries
            raise
        finally:
            self._owner = before

    def add(self, exception: type[Exception], code: int, message: Text = None, data: Data = None) -> None:
        """Say how ``exception`` and its subclasses are answered.

        Args:
            exception: the class.
            code: the retCode.
            message: the text; a function of the exception; or None for ``str(exception)``.
            data: a function of the exception that returns more about it, JSON.

        Raises:
            RegistrationError: the class is registered already, by the one who is named; or start-up is over.
        """
        name = f"{exception.__module__}.{exception.__qualname__}" if isinstance(exception, type) else repr(exception)
        self._check(f"error {name}", "densefog_register_errors")
        if not (isinstance(exception, type) and issubclass(exception, Exception)):
            raise RegistrationError(f"{self._owner} registers error {name}, which is no exception class")
        if exception in self._entries:
            first = self._entries[exception].owner
            raise RegistrationError(f"error {name} is registered twice: by {first} and by {self._owner}; disable one")
        self._entries[exception] = _Entry(code, message, data, self._owner)

    def freeze(self, check: Callable[[str, str], None]) -> None:
        """End registration; see `Registry.freeze`."""
        self._frozen, self._check = True, check

    def rows(self, packages: Collection[str] = ()) -> list[ErrorRow]:
        """Return every retCode with its name, in order, for documents.

        Args:
            packages: top-level packages whose own exceptions count beside those that are registered.
        """
        registered = [(kind, entry.code) for kind, entry in self._entries.items()]
        return catalogue.rows(registered, packages)

    def answer(
        self,
        error: Exception,
        *,
        debug: bool = False,
        context_id: str = "-",
        resource_key: str = "resourceIds",
        map_error: MapError | None = None,
    ) -> ErrorAnswer:
        """Return what a client is told of ``error``; never raises.

        Args:
            error: any exception.
            debug: put the traceback into ``data``.
            context_id: what ``exceptionTag`` says, and the log.
            resource_key: where ids that succeeded stand in a partial success.
            map_error: asked for one of densefog's own exceptions when no class covers ``error``.
        """
        known, entry = error, self._entry(type(error))
        if entry is None and map_error is not None:
            known = _mapped(error, map_error) or error
            entry = self._entry(type(known))
        code, message, data = self._describe(known, entry)
        codes = [code]
        if isinstance(known, ActionsPartialSuccessError):
            failures = [self._failure(one, map_error) for one in known.exceptions]
            codes = [failure["retCode"] for failure in failures] or codes
            worked = known.results or (self._of_job(known.job_id) if known.job_id else [])
            # Of a plan there is no job.
            job = {} if "plan" in data else {"jobId": known.job_id}
            data |= {**job, resource_key: worked, "failures": failures}
        data["exceptionTag"] = context_id
        if debug:
            data["exceptionStr"] = stack(known)
        return ErrorAnswer(code, message, data, any(one >= INTERNAL_CODE for one in codes))

    def _of_job(self, job_id: str) -> Sequence[str]:
        try:
            return self.resources_of(job_id)
        except Exception:
            _logger.exception("cannot tell which resources job %s is about", job_id)
            return []

    def _entry(self, kind: type[BaseException]) -> _Entry | None:
        try:
            return self._found[kind]
        except KeyError:
            found = next((entry for base in kind.__mro__ if (entry := self._own(base)) is not None), None)
            if self._frozen:
                self._found[kind] = found
            return found

    def _own(self, base: type) -> _Entry | None:
        if base in self._entries:
            return self._entries[base]
        if issubclass(base, BaseIaasException) and "ret_code" in vars(base):
            return _Entry(vars(base)["ret_code"], None, None, "densefog")
        return None

    def _describe(self, error: Exception, entry: _Entry | None) -> tuple[int, str, dict[str, Any]]:
        if entry is None:
            return INTERNAL_CODE, INTERNAL, {}
        own = isinstance(error, BaseIaasException)
        try:
            message = entry.message(error) if callable(entry.message) else entry.message or str(error)
            data = dict(error.data) if isinstance(error, BaseIaasException) else {}
            data |= (entry.data(error) or {}) if entry.data else {}
        except Exception:
            _logger.exception("cannot describe a %s; registered by %s", type(error).__name__, entry.owner)
            return entry.code, INTERNAL, {}
        registered = entry.owner != "densefog"
        return (error.ret_code if own and not registered else entry.code), message, data  # type: ignore[attr-defined]

    def _failure(self, one: Mapping[str, Any], map_error: MapError | None) -> dict[str, Any]:
        error = one.get("exception")
        answer = self.answer(error if isinstance(error, Exception) else Exception(error), map_error=map_error)
        resource_id = next((value for key, value in one.items() if key != "exception"), None)
        return {"resourceId": resource_id, "retCode": answer.ret_code, "message": answer.message}


def _mapped(error: Exception, map_error: MapError) -> BaseIaasException | None:
    try:
        answer = map_error(error)
    except Exception:
        _logger.exception("a densefog_map_error hook failed on a %s", type(error).__name__)
        return None
    if answer is not None and not isinstance(answer, BaseIaasException):
        _logger.error("a densefog_map_error hook returned a %s, which is none of densefog's", type(answer).__name__)
        return None
    return answer


def text_of(error: BaseException) -> str:
    """Return the text of an exception, for operators: with what the provider said.

    It is nothing when the exception cannot say it; that of SystemExit is but a number.
    """
    try:
        if isinstance(error, IaasProviderActionError):
            return " ".join(filter(None, (str(error), error.detail, str(error.exception))))
        return repr(error) if isinstance(error, SystemExit) else str(error)
    except Exception:
        _logger.exception("a %s has no text", type(error).__name__)
        return ""


def stack(error: BaseException) -> str:
    """Return the traceback of ``error`` and of what it stands for: the provider's, or those of a batch; for the log."""
    parts = ["".join(traceback.format_exception(error))]
    if isinstance(error, IaasProviderActionError):
        parts.append(f"The provider said {error.exception!r}\n{error.detail or ''}\n{error.stacktrace}")
    elif isinstance(error, ActionsPartialSuccessError):
        parts += [stack(one["exception"]) for one in error.exceptions if isinstance(one.get("exception"), Exception)]
    return "\n".join(part.rstrip() for part in parts)


_HTTP = {0: 200, 4101: 401, 4103: 403, 4104: 404, 4105: 403, 4113: 429, 4129: 429}


def http_status(ret_code: int) -> int:
    """Return the HTTP status that ``http_status = map`` gives a retCode."""
    return _HTTP.get(ret_code) or (400 if 4000 <= ret_code < 5000 else 500)
