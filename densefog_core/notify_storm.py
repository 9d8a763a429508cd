"""No storms: the same failure is told once and then counted, and a channel gets so many notices a minute at most."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable

from densefog_core.jobs import Job
from densefog_core.notices.records import Count, Key, Notification

#: Seconds that a channel's rate is about.
MINUTE = 60.0
#: Different failures that one digest tells apart; what comes after them is counted by action.
MAX_KINDS = 1000

#: The topics of failures; other notices are not alike because their job's action is.
FAILURES = ("failed", "gave_up", "lost")


class Storm:
    """Decides which notices of one channel are sent at once, and counts the others for a digest.

    The first notice of a failure is sent at once. The same failure within the window, and whatever is over the rate,
    is held back; at the end of the window one digest counts everything since its start, and the rate keeps one place
    for it. Times are of one monotonic clock.

    Args:
        rate: notices a minute at most; 0 sends every one at once.
        window: seconds.
    """

    def __init__(self, rate: int, window: float) -> None:
        self._rate = rate
        self._window = window
        self._sent: deque[float] = deque()
        self._told: dict[Key, float] = {}
        self._counts: dict[Key, tuple[int, Job]] = {}
        self._since = 0.0
        self._last: Job | None = None
        self.held = 0

    def admit(self, key: Key, job: Job, now: float) -> bool:
        """Return whether a notice is to be sent at once; otherwise it is counted for the digest.

        Args:
            key: see `Notification.key`.
            job: what it is about.
            now: the time.
        """
        if not self._rate:
            return True
        if not self.held and now >= self._since + self._window:
            self._counts.clear()
        self._count(key, job, now)
        repeated = key[0] in FAILURES and now - self._told.get(key, -self._window) < self._window
        if repeated or self.budget(now) < 1:
            self.held += 1
            self._last = job
            return False
        self._told[key] = now
        self.sent(now)
        return True

    def budget(self, now: float) -> int:
        """Return how many notices may be sent now, beside a digest."""
        if not self._rate:
            return MAX_KINDS
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        return max(1, self._rate - 1) - len(self._sent)

    def sent(self, now: float) -> None:
        """Note that a notice is being sent."""
        if self._rate:
            self._sent.append(now)

    def due(self, now: float) -> float | None:
        """Return the seconds until the digest may be sent, or None when there is nothing to count."""
        if not self.held:
            return None
        at = self._since + self._window
        self.budget(now)
        if len(self._sent) >= self._rate:
            at = max(at, self._sent[-self._rate] + MINUTE)
        return max(0.0, at - now)

    def digest(self, now: float) -> Notification | None:
        """Return the digest of what was held back, and begin anew; None when nothing was."""
        if self._last is None:
            return None
        counts = [Count(*key, count, job.id) for key, (count, job) in self._counts.items()]
        made = digest(self._last, counts, now - self._since)
        fresh = {key: at for key, at in self._told.items() if now - at < self._window}
        self._told = fresh | dict.fromkeys(self._counts, now)
        self._counts, self._last, self.held = {}, None, 0
        self.sent(now)
        return made

    def _count(self, key: Key, job: Job, now: float) -> None:
        if not self._counts:
            self._since = now
        if key not in self._counts and len(self._counts) >= MAX_KINDS:
            key = (*key[:2], "other failures")
        self._counts[key] = (self._counts.get(key, (0, job))[0] + 1, job)


def digest(last: Job, counts: Iterable[Count], seconds: float) -> Notification:
    """Return the notice that counts others; ``last`` is the last job that it is about."""
    lines = tuple(sorted(counts, key=lambda one: -one.count))
    return Notification(topic="digest", job=last, counts=lines, seconds=max(seconds, 1.0), host=socket.gethostname())


def fold(notices: list[Notification], limit: int, seconds: float) -> list[tuple[Notification, list[Notification]]]:
    """Return what to send in place of ``notices``, with those that each stands for.

    Args:
        notices: of failures.
        limit: so many are sent as they are when all are different ones; otherwise one of each, and a digest.
        seconds: the time in which they came.
    """
    kinds: dict[Key, list[Notification]] = {}
    for one in notices:
        kinds.setdefault(one.key, []).append(one)
    singles = [group[0] for group in kinds.values()][:limit]
    rest = [one for one in notices if all(one is not single for single in singles)]
    folded = [(one, [one]) for one in singles]
    if rest:
        counts = [Count(*key, len(group), group[-1].job.id) for key, group in kinds.items()]
        folded.append((digest(rest[-1].job, counts, seconds), rest))
    return folded
