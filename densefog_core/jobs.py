"""Jobs: how they are declared, enqueued, kept and run.

The promise is in ``docs``: at least once, never lost, never stuck; at most one live try, and a try that lost its
lease can write nothing. A store keeps the promise's table, a worker its clock; this module is what they share.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar, overload

from densefog_core import jsontext
from densefog_core.context import Request, RunningJob, current_app, current_scope, entered
from densefog_core.errors import JobRefused, RegistrationError
from densefog_core.errors.table import stack
from densefog_core.ids import SYSTEM_PROJECT, new_id
from densefog_core.redact import HIDDEN, holds_secret, redact_text
from densefog_core.registry import Registry, did_you_mean

if TYPE_CHECKING:
    from densefog_core.app import App

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)
Status = Literal["pending", "running", "finished", "error"]

#: Bytes that a TEXT column of MySQL holds; params and result must fit on every database.
MAX_TEXT = 65_535
#: Characters of the ``action`` column.
MAX_ACTION = 50
#: Characters of a job id after ``job-`` that are made of an idempotency key; random ids have 10.
KEYED_CHARS = 26

_logger = logging.getLogger("densefog.jobs")


def utcnow() -> datetime:
    """Return the time as the job table holds it: naive UTC, whole seconds."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the job table.

    Attributes:
        id: ``job-`` and 10 characters.
        action: the name that handlers are registered under.
        params: what the handler is given; ``resource_ids`` lists the resources the job is about.
        trys: how often a worker took the job: the fencing token of the try that holds it.
        try_max: after so many tries a failure ends the job.
        try_period: seconds; a failed try waits ``try_period * trys``.
        run_at: not before this time; naive UTC, like ``created`` and ``updated``.
        updated: the last write; while the job runs, the last heartbeat of its lease.
        result: the JSON value that the handler returned, or its latest progress.
        error: text of the last failure.
    """

    id: str
    action: str
    params: dict[str, Any] = field(default_factory=dict)
    project_id: str = SYSTEM_PROJECT
    status: Status = "pending"
    trys: int = 0
    try_max: int = 3
    try_period: int = 600
    run_at: datetime = field(default_factory=utcnow)
    created: datetime = field(default_factory=utcnow)
    updated: datetime = field(default_factory=utcnow)
    result: Any = None
    error: str = ""

    @property
    def lease(self) -> Lease:
        """The lease of the try that this record stands for."""
        return Lease(self.id, self.trys)

    @property
    def which_try(self) -> str:
        """Which of its tries this is, for texts: ``(try 2 of 3)``."""
        return f"(try {self.trys} of {self.try_max})"

    @property
    def is_keyed(self) -> bool:
        """Whether the id was made of an idempotency key, so that the job may be there already."""
        return len(self.id) == len("job-") + KEYED_CHARS

    @property
    def resource_ids(self) -> list[str]:
        """The resources the job is about: ``params["resource_ids"]``."""
        ids = self.params.get("resource_ids", [])
        return list(ids) if isinstance(ids, list | tuple) else [ids]


class Lease(NamedTuple):
    """The right of one try to write to its job's row: the job's id and the fencing token."""

    job_id: str
    trys: int


class JobInterrupt(BaseException):
    """Raised in a handler from outside; a BaseException, so that ``except Exception`` does not swallow it."""


class JobTimeout(JobInterrupt):
    """The try took longer than its timeout: it fails."""


class JobShutdown(JobInterrupt):
    """The worker stops and its drain time is over: the try is given back and counts for nothing."""


class LeaseLost(JobInterrupt):
    """The job was cancelled or another worker has taken it over: nothing that this try does is written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try, to be written under its fence.

    Attributes:
        job: the record as it was claimed; its ``lease`` is the fence.
        status: ``finished``; ``retry`` after ``delay`` seconds; ``error``, the end of the job; ``released``, given
            back at shutdown without counting the try; ``dropped``, nothing is written, the lease is lost.
        result: the JSON value to store when finished.
        error: redacted text of the failure.
        exception: the failure itself, for events and notices.
        delay: seconds until the next try.
    """

    job: Job
    status: Literal["finished", "retry", "error", "released", "dropped"]
    result: Any = None
    error: str = ""
    exception: BaseException | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job; what ``densefog_job_event`` observers are given.

    Attributes:
        kind: ``started``; ``retrying``, a try failed and another follows; ``failed``, the last try failed;
            ``finished``; ``lost``, a worker died or stalled during the last try, which ends the job; ``cancelled``.
        job: the record as the try saw it.
        error: redacted text of the failure, or the empty string.
        exception: the failure itself when it happened in this process.
        seconds: how long the try took.
    """

    kind: Literal["started", "retrying", "failed", "finished", "lost", "cancelled"]
    job: Job
    error: str = ""
    exception: BaseException | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None does not restrict.

    Attributes:
        search: part of the action or the id.
        updated_since: naive UTC; jobs written then or later.
        limit: rows of a page, 1 to 100.
        reverse: newest first.
    """

    ids: Collection[str] | None = None
    status: Collection[str] | None = None
    action: str | None = None
    project_id: str | None = None
    resource_id: str | None = None
    search: str | None = None
    updated_since: datetime | None = None
    limit: int = 20
    offset: int = 0
    reverse: bool = True

    def matches(self, job: Job) -> bool:
        """Return whether a job is among those that are asked for, whatever the page."""
        return (
            (self.ids is None or job.id in self.ids)
            and (self.status is None or job.status in self.status)
            and (self.action is None or job.action == self.action)
            and (self.project_id is None or job.project_id == self.project_id)
            and (self.resource_id is None or self.resource_id in job.resource_ids)
            and (not self.search or self.search in job.action or self.search in job.id)
            and (self.updated_since is None or job.updated >= self.updated_since)
        )


class JobStore(Protocol):
    """Where jobs are kept. ``models`` has it in SQL, ``densefog_core.testing`` in memory; one suite tests both.

    Every write for a running job is fenced: it names the lease and changes nothing when the row is no longer
    running under that token.
    """

    #: Called after jobs that are due now were committed, to wake workers; set by the application.
    on_enqueued: Callable[[], None]
    #: ``on_last_failure`` by action, set by the application: called for a job that ends as an error, within the
    #: transaction that ends it, so that what it writes and the job's row commit together or not at all. What one raises
    #: is logged, and undone alone.
    last_failures: Mapping[str, Callable[[Job], object]]

    def init(self) -> list[str]:
        """Create what is missing and say in a line each what was done."""

    def check(self) -> list[str]:
        """Return a warning for what works but should be better, such as a missing index.

        Raises:
            StartupError: unreachable, or a table or column is missing; names it and the command to run.
        """

    def enqueue(self, jobs: Sequence[Job], session: Any = None) -> list[str]:  # noqa: ANN401
        """Insert ``jobs`` in ``session``, in the caller's open transaction, or in one of its own.

        A job whose id is there already is left as it is: that makes keys idempotent.

        Returns:
            Their ids, in order.
        """

    def claim(self, limit: int, actions: Collection[str]) -> list[Job]:
        """Take up to ``limit`` due jobs of these actions, oldest ``run_at`` first; each has its new ``trys``."""

    def beat(self, leases: Sequence[Lease]) -> list[Lease]:
        """Renew the leases and return those that are lost.

        Called from a native thread: it must use a connection of its own and nothing that belongs to the hub.
        """

    def finish(self, outcomes: Sequence[Outcome], *, native: bool = False) -> list[bool]:
        """Write the outcomes in one transaction; False for each one that the fence refused.

        Args:
            outcomes: of tries that were claimed here.
            native: called from a native thread; see `beat`. Nothing of the application can be called there: a job
                whose last try has failed keeps its error and stays running without a lease; `reclaim` ends it.

        Raises:
            ValueError: an outcome can never be stored, whatever the state of the database.
        """

    def progress(self, lease: Lease, value: Any) -> bool:  # noqa: ANN401
        """Write ``value`` to the running job's result; False when the lease is lost."""

    def reclaim(self, lease_seconds: float, limit: int = 100) -> list[Job]:
        """Take back running jobs whose last beat is older than ``lease_seconds``.

        Returns:
            The jobs as they stand now: ``pending`` again at once, or ``error`` when their tries are used up.
        """

    def unhandled(self, actions: Collection[str]) -> list[str]:
        """Return the actions of due pending jobs that are not among ``actions``."""

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None."""

    def page(self, which: JobFilter) -> tuple[Sequence[Job], int]:
        """Return one page of jobs, by creation, and how many there are in all."""

    def retry(self, job_ids: Sequence[str]) -> list[str]:
        """Put ended jobs back to pending, due now, with one more try allowed; return the ids it did that for.

        Jobs whose params had secrets are left alone: what is stored would hand the mask to the handler as the secret.
        """

    def cancel(self, job_ids: Sequence[str]) -> list[Job]:
        """End pending and running jobs as error ``cancelled``; return the ones it ended."""

    def run_now(self, job_ids: Sequence[str]) -> list[str]:
        """Make pending jobs due now; return the ids it did that for."""

    def stats(self) -> dict[str, Any]:
        """Return ``{"jobs": [{"action", "status", "count"}], "oldest_pending_seconds": float | None}``."""

    def prune(self, older_than: float, limit: int = 500) -> int:
        """Delete up to ``limit`` ended jobs last written ``older_than`` seconds ago; return how many."""

    def close(self) -> None:
        """Give back connections."""


class JobControl(Protocol):
    """What a worker lends to the handlers that it runs."""

    def progress(self, job: Job, value: Any) -> None:  # noqa: ANN401
        """Store progress under the fence; raise LeaseLost when the job is not this try's any more."""

    def sleep(self, seconds: float) -> None:
        """Wait without keeping other jobs from running."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A registered job handler.

    Attributes:
        action: the name jobs are enqueued under.
        handler: the function as it was written.
        call: the function adapted: takes the `RunningJob`, returns the result.
        try_max: default number of tries of a new job.
        try_period: default seconds; a failed try n waits ``try_period * n``.
        timeout: seconds a try may take; None takes ``CONF.exec_timeout``.
        backoff: number of the failed try to seconds until the next one, instead of ``try_period``.
        on_last_failure: called with the `Job` when its last try has failed or was lost, or it was cancelled, to move
            resources out of their ``-ing`` status; in the transaction that ends the job.
        every: run it by itself, without params: a time such as ``30s``, ``5m``, ``2h`` or ``1d``, counted from midnight
            UTC, or a cron line in UTC.
    """

    action: str
    handler: Handler
    call: Callable[[RunningJob], Any]
    try_max: int = 3
    try_period: int = 600
    timeout: float | None = None
    backoff: Callable[[int], float] | None = None
    on_last_failure: Callable[[Job], object] | None = None
    every: str | None = None

    def delay(self, job: Job) -> float:
        """Return the seconds between the failed try that ``job`` records and the next one."""
        return self.backoff(job.trys) if self.backoff else float(job.try_period * job.trys)


@overload
def job(name: H, /) -> H: ...
@overload
def job(name: str | None = None, /, **options: Any) -> Callable[[H], H]: ...  # noqa: ANN401
def job(name: Any = None, /, **options: Any) -> Any:
    """Mark a function as a job handler.

    The mark takes effect when the function's module, or the function, is named by a ``densefog.jobs`` entry point
    or registered by a plugin. ``create_volumes`` is called ``CreateVolumes`` unless a name is given::

        @job(try_max=5, try_period=60)
        def create_volumes(params, is_last_chance): ...

    Args:
        name: the action that jobs are enqueued under.
        **options: what `JobRegistry.add` takes.
    """
    if callable(name):
        return job()(name)

    def mark(handler: H) -> H:
        handler.__densefog_job__ = (name or camel_case(handler.__name__), options)  # type: ignore[attr-defined]
        return handler

    return mark


def camel_case(name: str) -> str:
    """Return ``create_volumes`` as ``CreateVolumes``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


class JobRegistry(Registry[JobSpec]):
    """Job handlers by action."""

    def __init__(self) -> None:
        super().__init__("job")

    def add(self, name: str, handler: Handler, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Register ``handler`` for jobs of action ``name``.

        Args:
            name: at most 50 characters.
            handler: called with what its signature names out of ``params``, ``job``, ``time_sleep`` and
                ``is_last_chance``; returns a JSON value.
            **options: ``try_max``, ``try_period``, ``timeout``, ``backoff``, ``on_last_failure``, ``every`` of
                `JobSpec`.

        Raises:
            RegistrationError: the name is taken, the signature cannot be called, or an option is wrong.
        """
        super().add(name, make_spec(name, handler, self._merged(handler, options)))

    def replace(self, name: str, handler: Handler, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Register ``handler`` in place of another plugin's; see `add`."""
        super().replace(name, make_spec(name, handler, self._merged(handler, options)))

    @staticmethod
    def _merged(handler: Handler, options: dict[str, Any]) -> dict[str, Any]:
        return {**getattr(handler, "__densefog_job__", ("", {}))[1], **options}


def make_spec(name: str, handler: Handler, options: Mapping[str, Any]) -> JobSpec:
    """Build the `JobSpec` of a handler; see `JobRegistry.add`."""
    if not name or len(name) > MAX_ACTION:
        raise RegistrationError(f"job {name!r}: the name must have 1 to {MAX_ACTION} characters")
    try:
        spec = JobSpec(name, handler, adapt(name, handler), **options)
    except TypeError as exc:
        raise RegistrationError(f"job {name!r}: {exc}; known options: {', '.join(_OPTIONS)}") from None
    for option, least in (("try_max", 1), ("try_period", 0), ("timeout", 0.001)):
        value = getattr(spec, option)
        if value is not None and not (isinstance(value, int | float) and value >= least):
            raise RegistrationError(f"job {name!r}: {option} must be a number of at least {least}, not {value!r}")
    return spec


_OPTIONS = tuple(JobSpec.__dataclass_fields__)[3:]
_UNNAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)

_ARGUMENTS: dict[str, Callable[[RunningJob], Any]] = {
    "params": lambda running: running.job.params,
    "job": lambda running: running,
    "time_sleep": lambda running: running.sleep,
    "is_last_chance": lambda running: running.is_last_chance,
}


def adapt(name: str, handler: Handler) -> Callable[[RunningJob], Any]:
    """Return ``handler`` as a function of the `RunningJob`, decided once by its signature.

    Raises:
        RegistrationError: it is no function, is async, or asks for an argument that jobs do not have.
    """
    where = f"job {name!r}: {getattr(handler, '__module__', '?')}.{getattr(handler, '__qualname__', handler)}"
    if not callable(handler):
        raise RegistrationError(f"job {name!r}: {handler!r} is not a function")
    if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
        raise RegistrationError(f"{where} is async, and nobody would await it; write a plain function")
    wanted = []
    for parameter in inspect.signature(handler).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            wanted = list(_ARGUMENTS)
        elif parameter.name in _ARGUMENTS and parameter.kind not in _UNNAMED:
            wanted.append(parameter.name)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
            raise RegistrationError(
                f"{where} asks for {parameter.name!r}; a job handler can ask for {', '.join(_ARGUMENTS)}"
            )
    arguments = tuple((key, _ARGUMENTS[key]) for key in dict.fromkeys(wanted))
    return lambda running: handler(**{key: get(running) for key, get in arguments})


def new_job(
    specs: Mapping[str, JobSpec],
    action: str,
    params: Mapping[str, Any] | None = None,
    *,
    project_id: str | None = None,
    run_at: datetime | timedelta | None = None,
    try_period: int | None = None,
    try_max: int | None = None,
    key: str | None = None,
) -> Job:
    """Build and check the record of a new job; see `enqueue`."""
    spec = specs.get(action)
    if spec is None:
        hint = did_you_mean(action, specs)
        raise JobRefused(f"no installed package handles job {action!r}{hint}; nothing is enqueued")
    params = dict(params or {})
    _check_params(action, params)
    tries = spec.try_max if try_max is None else try_max
    period = spec.try_period if try_period is None else try_period
    if tries < 1 or period < 0:
        raise JobRefused(f"job {action!r}: try_max must be at least 1 and try_period at least 0 seconds")
    now = utcnow()
    return Job(
        id=new_id("job-") if key is None else keyed_id(action, key),
        action=action,
        params=params,
        project_id=project_id or _current_project(),
        try_max=tries,
        try_period=period,
        run_at=now if run_at is None else _naive_utc(now + run_at if isinstance(run_at, timedelta) else run_at),
        created=now,
        updated=now,
    )


def keyed_id(action: str, key: str) -> str:
    """Return the job id that belongs to an idempotency key: the same for the same action and key, 30 characters."""
    import base64
    import hashlib

    digest = hashlib.sha256(f"{action}\0{key}".encode()).digest()
    return "job-" + base64.b32encode(digest).decode()[:KEYED_CHARS].lower()


def _check_params(action: str, params: dict[str, Any]) -> None:
    try:
        text = jsontext.dumps(params)
    except (TypeError, ValueError) as exc:
        raise JobRefused(f"job {action!r}: its params are not JSON ({exc}); nothing is enqueued") from None
    if HIDDEN in text and holds_secret(params):
        raise JobRefused(f"job {action!r}: its params hold a Secret, which would be stored as {HIDDEN}; pass .reveal()")
    size = len(text.encode())
    if size > MAX_TEXT:
        raise JobRefused(
            f"job {action!r}: its params have {size} bytes and the column holds {MAX_TEXT}; "
            "store the data elsewhere and pass its id"
        )


def _current_project() -> str:
    scope = current_scope()
    if isinstance(scope, RunningJob):
        return scope.job.project_id
    return (isinstance(scope, Request) and scope.project_id) or SYSTEM_PROJECT


def _naive_utc(moment: datetime) -> datetime:
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return utc.replace(microsecond=0)


def enqueue(action: str, params: Mapping[str, Any] | None = None, **options: Any) -> str:  # noqa: ANN401
    """Put one job into the store, in the caller's open transaction when there is one.

    The job and the rows it is about so commit together or not at all.

    Args:
        action: a registered job.
        params: JSON object, at most 65,535 bytes; ``resource_ids`` lists the resources it is about.
        **options: ``project_id`` (default: that of the running request or job); ``run_at``, a datetime (naive is UTC)
            or a timedelta from now; ``try_period`` seconds and ``try_max`` (default: the handler's); ``key``, an
            idempotency key: the same action and key give the same job, however often they are enqueued.

    Returns:
        The job's id.

    Raises:
        JobRefused: no handler is installed, or the params do not fit; nothing was written.
    """
    return enqueue_many([{"action": action, "params": params, **options}])[0]


def enqueue_many(jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Put many jobs into the store with one statement per few hundred.

    Args:
        jobs: the arguments of `enqueue` for each, as mappings.

    Returns:
        Their ids, in order.
    """
    app = current_app()
    return app.store.enqueue([app.new_job(**fields) for fields in jobs])


def run_job(app: App, claimed: Job, control: JobControl) -> Outcome:
    """Run one try of a job and say what became of it; write nothing.

    Args:
        app: whose handlers and hooks to use.
        claimed: the record as the store's ``claim`` returned it.
        control: the worker's part of the job's scope.
    """
    spec = app.job_specs[claimed.action]
    with entered(RunningJob(claimed, control)) as running:
        try:
            result = app.call_job(running, spec.call)
            return Outcome(claimed, "finished", result=_storable(result))
        except JobShutdown:
            return Outcome(claimed, "released")
        except LeaseLost as exc:
            return Outcome(claimed, "dropped", error=str(exc), exception=exc)
        except (Exception, JobTimeout) as exc:  # noqa: BLE001 - a handler may raise anything
            which = f"{claimed.action} {claimed.id}"
            _logger.warning("try %d of %d of %s failed\n%s", claimed.trys, claimed.try_max, which, stack(exc))
            return failure(spec, claimed, exc)


def _storable(result: object) -> Any:  # noqa: ANN401
    text = jsontext.dumps(result)
    if len(text) <= MAX_TEXT and len(text.encode()) <= MAX_TEXT:
        return result
    return {"truncated": True, "reason": f"the result has {len(text)} characters; the column holds {MAX_TEXT} bytes"}


def failure(spec: JobSpec, claimed: Job, exc: BaseException) -> Outcome:
    """Return the outcome of a failed try: another one later, or the end."""
    text = redact_text(str(exc) or type(exc).__name__)
    if claimed.trys < claimed.try_max:
        return Outcome(claimed, "retry", error=text, exception=exc, delay=spec.delay(claimed))
    return Outcome(claimed, "error", error=text, exception=exc)
