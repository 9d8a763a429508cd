"""What every function goes through that densefog is given: how it is named, refused, and called without harm."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from densefog_core.errors.base import Interrupt, RegistrationError

R = TypeVar("R")

ASYNC = "is async, and nobody would await it; write a plain function"

_logger = logging.getLogger("densefog.guard")


def camel_case(name: str) -> str:
    """Return ``create_volumes`` as ``CreateVolumes``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def place_of(function: object) -> str:
    """Return where a function stands, ``module.name``, for messages."""
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', function)}"


def is_async(function: object) -> bool:
    """Return whether calling ``function`` would give something to await."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def check_plain(where: str, function: object) -> None:
    """Check that densefog can call ``function`` as a handler.

    Args:
        where: what it is for, for the message.
        function: what was registered.

    Raises:
        RegistrationError: it is no function, or it is async.
    """
    if not callable(function):
        raise RegistrationError(f"{where}: {function!r} is not a function")
    if is_async(function):
        raise RegistrationError(f"{where}: {place_of(function)} {ASYNC}")


def open_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a handler that somebody has to fill: all but those that a partial function fills.

    Raises:
        TypeError, ValueError: its signature cannot be read.
    """
    parameters = dict(inspect.signature(function).parameters)
    while isinstance(function, functools.partial):
        for name in function.keywords:
            parameters.pop(name, None)
        function = function.func
    return list(parameters.values())


def attempt(function: Callable[..., R], /, *args: Any, **arguments: Any) -> tuple[R | None, BaseException | None]:  # noqa: ANN401
    """Call what may fail without harm to anybody else; an exit counts as a failure, too.

    Args:
        function: what to call.
        *args: its arguments.
        **arguments: its arguments by name.

    Returns:
        What it returns and None, or None and what it raised. Interrupts that come from outside go through.
    """
    try:
        return function(*args, **arguments), None
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        return None, exc


def guarded(owner: str, when: str, function: Callable[..., R], /, *args: Any, **arguments: Any) -> R | None:  # noqa: ANN401
    """Call what only observes, measures or cleans up; see `attempt`. A failure is logged.

    Args:
        owner: whose function it is, for the log.
        when: what it failed on, for the log: ``on the event finished of job-1``, ``to shut down``.
        function: what to call.
        *args: its arguments.
        **arguments: its arguments by name.

    Returns:
        What it returns, or None when it failed.
    """
    result, error = attempt(function, *args, **arguments)
    if error is not None:
        _logger.error("%s failed %s", owner, when, exc_info=error)
    return result


def is_interrupt(error: BaseException) -> bool:
    """Return whether somebody else raised ``error`` in the code that runs: densefog, or gevent when it kills it."""
    return isinstance(error, Interrupt) or type(error).__name__ == "GreenletExit"
