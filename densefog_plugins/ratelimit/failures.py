"""Guessing of keys: slowed down before a guess is looked at."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator
from typing import Any

from densefog_core import hookimpl
from densefog_core.actions.records import Request
from densefog_core.errors import ClientRequestException, ConfigError
from densefog_plugins.ratelimit.limiter import MAX_REMEMBERED, Limiter, Rule, read_rules

_logger = logging.getLogger("densefog.ratelimit")


class TooManyFailures(ClientRequestException):
    """The address, or the access key, failed to authenticate too often.

    Args:
        seconds: after which it is looked at again.
    """

    ret_code = 4129

    def __init__(self, seconds: float) -> None:
        retry_after = math.ceil(seconds)
        text = f"too many failed authentications; try again in {retry_after} s"
        super().__init__(text, {"retryAfter": retry_after})


class FailureLimit:
    """Takes part in authentication; see `densefog_core.hookspecs.densefog_parts`.

    A key that was right from an address goes on to be looked at from there, whatever others do: or whoever knows its
    id could lock its owner out, and one wrong client all those who share its address.

    Args:
        rule: ``CALLS/SECONDS``.
        clock: gives seconds that only grow.

    Raises:
        ConfigError: the rule is none.
    """

    def __init__(self, rule: str, clock: Callable[[], float] | None = None) -> None:
        self._rule = _read(rule)
        self._limiter = Limiter() if clock is None else Limiter(clock)
        self._good: dict[tuple[str, str], None] = {}

    @hookimpl(wrapper=True)
    def densefog_authenticate(self, request: Request) -> Generator[None, Any, Any]:
        """Refuse who failed too often, and count who fails."""
        address, key = request.remote_addr or "-", request.claimed_key
        if (address, key) not in self._good:
            self._refuse(max(self._limiter.wait(*one, self._rule) for one in _counted(address, key)))
        try:
            answer = yield
        except ClientRequestException:
            self._good.pop((address, key), None)
            # Who names no key guesses none.
            for one in _counted(address, key) if key else ():
                self._count(one)
            raise
        if len(self._good) >= MAX_REMEMBERED:
            self._good.pop(next(iter(self._good)), None)
        self._good[address, key] = None
        return answer

    def _refuse(self, wait: float) -> None:
        if wait:
            raise TooManyFailures(wait)

    def _count(self, who: tuple[str, str]) -> None:
        self._limiter.take(*who, self._rule)
        if self._limiter.wait(*who, self._rule):
            _logger.warning("too many failed authentications of %s %r: refused for a while", who[1], who[0])


def _counted(address: str, key: str) -> tuple[tuple[str, str], ...]:
    return ((address, "address"), (key, "access key")) if key else ((address, "address"),)


def _read(text: str) -> Rule:
    try:
        return read_rules([f"*={text}"])["*"]
    except ConfigError:
        raise ConfigError(f"setting ratelimit_failures: {text!r} is not CALLS/SECONDS, such as 20/60") from None
