"""How a function becomes the handler of a job, once, at its registration."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from densefog_core.errors import RegistrationError
from densefog_core.functions import camel_case, check_plain, open_parameters, place_of
from densefog_core.jobs.records import MAX_SECONDS, MAX_TRIES, Job
from densefog_core.jobs.schedules import parse
from densefog_core.jobs.tries import RunningJob
from densefog_core.jobs.typed import TypedParams, typed_params
from densefog_core.registry import Registry

_logger = logging.getLogger("densefog.jobs")

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)

#: Characters of the ``action`` column.
MAX_ACTION = 50


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A registered job handler.

    Attributes:
        action: the name jobs are enqueued under.
        handler: the function as it was written.
        call: the function adapted: takes the `RunningJob`, returns the result.
        typed: the class that it wants its params as, or None for a dict.
        try_max: default number of tries of a new job.
        try_period: default seconds; a failed try n waits ``try_period * n``.
        timeout: seconds a try may take; None takes ``CONF.exec_timeout``.
        backoff: number of the failed try to seconds until the next one, instead of ``try_period``.
        on_last_failure: called with the `Job` when its last try has failed or was lost, or it was cancelled, to move
            resources out of their ``-ing`` status; in the transaction that ends the job.
        every: run it by itself, without params: a time such as ``30s``, ``5m``, ``2h`` or ``1d``, counted from midnight
            UTC, or a cron line in UTC.
        encrypted: whether params, steps and result are stored encrypted by the keys of setting ``secret_keys``; so they
            are when a member of the params' class is a `Secret`.
    """

    action: str
    handler: Handler
    call: Callable[[RunningJob], Any]
    typed: TypedParams | None = None
    try_max: int = 3
    try_period: int = 600
    timeout: float | None = None
    backoff: Callable[[int], float] | None = None
    on_last_failure: Callable[[Job], object] | None = None
    every: str | None = None
    encrypted: bool = False

    @property
    def takes_job(self) -> bool:
        """Whether the handler asks for ``job``, so that it may keep steps."""
        return any(one.name == "job" or one.kind is one.VAR_KEYWORD for one in open_parameters(self.handler))

    def delay(self, job: Job) -> float:
        """Return the seconds between the failed try that ``job`` records and the next one, at most ten years.

        A ``backoff`` that raises, or returns no number, is logged; then ``try_period`` counts.
        """
        seconds = float(job.try_period * job.trys)
        if self.backoff is not None:
            try:
                seconds = _finite(self.backoff(job.trys))
            except Exception:
                _logger.exception("the backoff of job %s failed after try %d", self.action, job.trys)
        return min(max(seconds, 0.0), MAX_SECONDS)


def _finite(seconds: float) -> float:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise ValueError(f"it must be a number of seconds, not {seconds!r}")
    return float(seconds)


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
            **options: ``try_max``, ``try_period``, ``timeout``, ``backoff``, ``on_last_failure``, ``every``,
                ``encrypted`` of `JobSpec`.

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
        typed = typed_params(handler, f"job {name!r}: {place_of(handler)}")
        spec = JobSpec(name, handler, adapt(name, handler, typed), typed, **options)
    except TypeError as exc:
        raise RegistrationError(f"job {name!r}: {exc}; known options: {', '.join(_OPTIONS)}") from None
    timeout = None if spec.timeout is None else wrong("timeout", spec.timeout)
    if why := wrong("try_max", spec.try_max) or wrong("try_period", spec.try_period) or timeout:
        raise RegistrationError(f"job {name!r}: {why}")
    if spec.every is not None:
        parse(name, spec.every)
    return replace(spec, encrypted=True) if typed is not None and typed.has_secret else spec


def wrong(option: str, value: object) -> str | None:
    """Return what is wrong with the value of a numeric option of a job, or None."""
    kinds, least, most = _LIMITS[option]
    if isinstance(value, kinds) and least <= value <= most:
        return None
    return f"{option} must be a {'whole ' if kinds is int else ''}number from {least} to {most}, not {value!r}"


_LIMITS: dict[str, tuple[Any, float, int]] = {
    "try_max": (int, 1, MAX_TRIES), "try_period": (int, 0, MAX_SECONDS), "timeout": (int | float, 0.001, MAX_SECONDS),
}
_OPTIONS = tuple(JobSpec.__dataclass_fields__)[4:]
_UNNAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)

_ARGUMENTS: dict[str, Callable[[RunningJob], Any]] = {
    "params": lambda running: running.job.params,
    "job": lambda running: running,
    "time_sleep": lambda running: running.sleep,
    "is_last_chance": lambda running: running.is_last_chance,
}


def adapt(name: str, handler: Handler, typed: TypedParams | None = None) -> Callable[[RunningJob], Any]:
    """Return ``handler`` as a function of the `RunningJob`, decided once by its signature.

    Raises:
        RegistrationError: it is no function, is async, or has a parameter that nothing fills.
    """
    check_plain(f"job {name!r}", handler)
    where = f"job {name!r}: {place_of(handler)}"
    wanted = []
    for parameter in open_parameters(handler):
        if parameter.kind is parameter.VAR_KEYWORD:
            wanted = list(_ARGUMENTS)
        elif parameter.name in _ARGUMENTS and parameter.kind not in _UNNAMED:
            wanted.append(parameter.name)
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            raise RegistrationError(
                f"{where} asks for {parameter.name!r}; a job handler can ask for {', '.join(_ARGUMENTS)}"
            )
    filled = dict(_ARGUMENTS)
    if typed is not None:
        filled["params"] = lambda running: typed.convert(running.job.params)
    arguments = tuple((key, filled[key]) for key in dict.fromkeys(wanted))
    return lambda running: handler(**{key: get(running) for key, get in arguments})
