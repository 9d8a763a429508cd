"""The rules, and the calls that are counted against them."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl
from densefog_core.actions import Request
from densefog_core.errors import ClientRequestException, ConfigError

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.counting import Counter

#: Callers and actions that are remembered at most; beyond that, those that have been quiet are forgotten first.
MAX_REMEMBERED = 100_000

_logger = logging.getLogger("densefog.ratelimit")

_rule = re.compile(r"([A-Za-z]\w*|\*)=(\d+)/(\d+(?:\.\d+)?)").fullmatch


class TooManyRequests(ClientRequestException):
    """The caller calls an action more often than it may.

    Args:
        action: the action.
        seconds: after which it may call it again.
    """

    ret_code = 4129

    def __init__(self, action: str, seconds: float) -> None:
        retry_after = math.ceil(seconds)
        super().__init__(f"{action} is called too often; try again in {retry_after} s", {"retryAfter": retry_after})


@dataclass(frozen=True, slots=True)
class Rule:
    """So many calls in so many seconds, all of them at once if need be.

    Attributes:
        calls: how many.
        seconds: in which time.
    """

    calls: int
    seconds: float


def read_rules(texts: Iterable[str]) -> dict[str, Rule]:
    """Return the rules by action.

    Raises:
        ConfigError: one is not ACTION=CALLS/SECONDS, or stands there twice.
    """
    rules: dict[str, Rule] = {}
    for text in texts:
        match = _rule(text)
        if match is None or not int(match[2]) or not float(match[3]):
            raise ConfigError(f"setting ratelimit_rules: {text!r} is not ACTION=CALLS/SECONDS, such as *=100/60")
        if match[1] in rules:
            raise ConfigError(f"setting ratelimit_rules: there are two rules for {match[1]}")
        rules[match[1]] = Rule(int(match[2]), float(match[3]))
    return rules


class Limiter:
    """Counts calls in this process by GCRA: one float for each caller and action, and no timer.

    The float is the time at which all calls so far would be paid off at the rule's pace; it may be ahead of now by the
    rule's seconds at most.

    Args:
        clock: gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid: dict[tuple[str, str], float] = {}

    def wait(self, caller: str, action: str, rule: Rule) -> float:
        """Return the seconds after which a call would be allowed; 0 when it is now. Nothing is counted."""
        now = self._clock()
        late = max(self._paid.get((caller, action), now), now) + rule.seconds / rule.calls - now - rule.seconds - 1e-9
        return max(late, 0.0)

    def take(self, caller: str, action: str, rule: Rule) -> float:
        """Count a call and return 0, or return the seconds after which it would be allowed."""
        now = self._clock()
        paid = max(self._paid.pop((caller, action), now), now) + rule.seconds / rule.calls
        # The last of the allowed calls must not fail for a rounding error.
        late = paid - now - rule.seconds - 1e-9
        if late > 0:
            self._paid[caller, action] = paid - rule.seconds / rule.calls
            return late
        self._paid[caller, action] = paid
        if len(self._paid) > MAX_REMEMBERED:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget who has nothing to pay off, and if these are few, a tenth of the rest: those quiet for longest."""
        self._paid = {key: paid for key, paid in self._paid.items() if paid > now}
        for key in list(self._paid)[: max(0, len(self._paid) - MAX_REMEMBERED * 9 // 10)]:
            del self._paid[key]


class SharedLimiter:
    """Counts calls to all processes, in windows that begin at the same time for everybody.

    Args:
        counter: where.
        clock: gives the seconds since 1970.
    """

    def __init__(self, counter: Counter, clock: Callable[[], float] = time.time) -> None:
        self._counter = counter
        self._clock = clock
        self._failing = False

    def take(self, caller: str, action: str, rule: Rule) -> float:
        """Count a call and return 0, or return the seconds until the next window.

        While the counter fails, it is each process's own limit that counts: a service is not closed for a lost count.
        """
        now = self._clock()
        window = int(now // rule.seconds)
        # A caller may be an access key: the table is not to show whose.
        key = hashlib.sha256(f"{caller}\0{action}\0{rule.seconds}\0{window}".encode()).hexdigest()
        try:
            count = self._counter.add(key, rule.seconds)
        except Exception as exc:  # noqa: BLE001 - whatever is wrong with the database, the handler will tell
            if not self._failing:
                _logger.error("calls are not counted across processes: %s: %s", type(exc).__name__, exc)
            self._failing = True
            return 0.0
        self._failing = False
        return 0.0 if count <= rule.calls else (window + 1) * rule.seconds - now


class RateLimit:
    """Takes part in calls; see `densefog_core.hookspecs.densefog_parts`.

    Args:
        rules: texts as the setting has them.
        shared: whether the calls to all processes are counted together.
    """

    def __init__(self, rules: Iterable[str], *, shared: bool = False) -> None:
        self._rules = read_rules(rules)
        self._rest = self._rules.pop("*", None)
        self._limiters: list[Limiter | SharedLimiter] = [Limiter()]
        self._shared = shared

    @hookimpl
    def densefog_startup(self, app: App) -> None:
        """Find where to count across processes."""
        if self._shared:
            counter = app.plugins.hook.densefog_make_counter(app=app)
            if counter is None:
                raise ConfigError("setting ratelimit_shared: no plugin counts across processes; store = models does")
            # The own limit comes first: whoever exceeds it does not cost the database anything.
            self._limiters.append(SharedLimiter(counter))

    # trylast makes it the innermost wrapper: the plugin that finds out whose key it is has run by then.
    @hookimpl(wrapper=True, trylast=True)
    def densefog_call_action(self, request: Request) -> Generator[None, Any, Any]:
        """Refuse the call when its caller has called too often."""
        rule = self._rules.get(request.action, self._rest)
        if rule is not None:
            caller = request.access_key or request.remote_addr or "-"
            for limiter in self._limiters:
                if wait := limiter.take(caller, request.action, rule):
                    raise TooManyRequests(request.action, wait)
        return (yield)
