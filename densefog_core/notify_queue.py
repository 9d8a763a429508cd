"""One channel's queue and the thread that empties it: bounded, with retries, drained at shutdown."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable

from densefog_core.config import Config
from densefog_core.errors.table import text_of
from densefog_core.functions import attempt
from densefog_core.jobs import Job
from densefog_core.notices.records import Channel, DeliveryError, Key, Notification
from densefog_core.notify_storm import Storm
from densefog_core.redact import HIDDEN, redact_text

#: Notices that wait for one channel; more are dropped, and counted in the log.
QUEUE_SIZE = 1000
#: Seconds between two lines of the log about dropped notices: writing one for each would cost more than sending it.
COMPLAIN_EVERY = 60.0
#: How often a notice is sent before it is given up.
TRIES = 5
#: Seconds until the second try, doubled for each further one, and the most that a Retry-After is waited for.
PAUSE, MAX_PAUSE = 1.0, 3600.0

#: Characters of a reason in the log.
MAX_REASON = 300

_address = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]+", re.I)
_logger = logging.getLogger("densefog.notify")


class Outbox:
    """Sends one channel's notices in a thread of its own; under gevent it is a greenlet.

    Args:
        name: the channel's name.
        channel: what sends.
        topics: what it is told of.
        storm: decides which notices are sent at once.
        secrets: what no line of the log may hold.
    """

    def __init__(
        self, name: str, channel: Channel, topics: Collection[str], storm: Storm, secrets: Collection[str] = ()
    ) -> None:
        self.name = name
        self.channel = channel
        self.topics = frozenset(topics)
        self._storm = storm
        self._secrets = secrets
        self._news = threading.Condition(threading.Lock())
        self._waiting: deque[Notification] = deque()
        self._sending = False
        self._deadline: float | None = None
        self._sent = self._failed = self._dropped = 0
        self._complain_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"notify-{name}", daemon=True)
        self._thread.start()

    def put(self, key: Key, job: Job, make: Callable[[], Notification]) -> None:
        """Queue a notice, or count it for the digest; never blocks.

        Args:
            key: see `Notification.key`.
            job: what it is about.
            make: makes it; most of a storm are never made.
        """
        now = time.monotonic()
        with self._news:
            admitted = self._storm.admit(key, job, now)
            dropped = admitted and len(self._waiting) >= QUEUE_SIZE
            if admitted and not dropped:
                self._waiting.append(make())
            self._dropped += dropped
            if admitted or self._storm.held == 1:
                self._news.notify()
        if dropped and now >= self._complain_at:
            self._complain_at = now + COMPLAIN_EVERY
            _logger.error("channel %s is too slow; dropped: %s (%d so far)", self.name, make().title, self._dropped)

    def budget(self) -> int:
        """Return how many notices may be sent at once, beside a digest."""
        with self._news:
            return self._storm.budget(time.monotonic())

    def send(self, notification: Notification) -> None:
        """Send a notice in this thread, once.

        Raises:
            Exception: whatever the channel raises.
        """
        self.channel.send(notification)
        with self._news:
            self._storm.sent(time.monotonic())
            self._sent += 1

    def counts(self) -> dict[str, int]:
        """Return how many notices were sent, failed and dropped, wait in the queue and are held back for a digest."""
        with self._news:
            return {
                "sent": self._sent, "failed": self._failed, "dropped": self._dropped,
                "waiting": len(self._waiting) + self._sending, "held": self._storm.held,
            }

    def stop(self, deadline: float) -> None:
        """Send what waits, and the digest, until ``deadline`` (of the monotonic clock)."""
        self.close(deadline)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        counts = self.counts()
        left = counts["waiting"] + counts["held"]
        if left:
            _logger.error("channel %s: %d notices were not sent before shutdown", self.name, left)
        if counts["failed"] or counts["dropped"]:
            _logger.error("channel %s: %d notices sent, %d failed, %d dropped",
                          self.name, counts["sent"], counts["failed"], counts["dropped"])

    def close(self, deadline: float) -> None:
        """Begin to drain; `stop` waits for the end of it."""
        with self._news:
            self._deadline = deadline
            self._news.notify_all()

    def _run(self) -> None:
        while (notification := self._next()) is not None:
            self._deliver(notification)
            with self._news:
                self._sending = False

    def _next(self) -> Notification | None:
        """Wait for the next notice; None is the end."""
        with self._news:
            while True:
                now = time.monotonic()
                due = self._storm.due(now)
                if self._waiting:
                    self._sending = True
                    return self._waiting.popleft()
                if due is not None and (due <= 0 or self._deadline is not None):
                    self._sending = True
                    return self._storm.digest(now)
                if self._deadline is not None:
                    return None
                self._news.wait(due)

    def _deliver(self, notification: Notification) -> None:
        for tries in range(1, TRIES + 1):
            _, error = attempt(self.channel.send, notification)
            if error is not None:
                pause = _pause(error, tries)
                if pause is not None and self._sleep(pause):
                    continue
                with self._news:
                    self._failed += 1
                _logger.error("channel %s could not send %r (try %d): %s",
                              self.name, notification.title, tries, reason(error, self._secrets))
                return
            with self._news:
                self._sent += 1
            return

    def _sleep(self, seconds: float) -> bool:
        """Wait; return whether there is time for another try, which there may not be at shutdown."""
        until = time.monotonic() + seconds
        with self._news:
            while (now := time.monotonic()) < until:
                if self._deadline is not None and until > self._deadline:
                    return False
                self._news.wait(until - now)
        return True


def _pause(exc: BaseException, tries: int) -> float | None:
    """Return the seconds until the next try, or None when there should be none."""
    if isinstance(exc, DeliveryError):
        temporary = not exc.permanent
        wanted = exc.retry_after if isinstance(exc.retry_after, int | float) else 0.0
    else:
        temporary, wanted = isinstance(exc, OSError), 0.0
    if tries == TRIES or not temporary:
        return None
    backoff: float = PAUSE * 2 ** (tries - 1) * random.uniform(0.75, 1.25)
    return min(max(backoff, wanted), MAX_PAUSE)


def reason(exc: BaseException, secrets: Collection[str] = ()) -> str:
    """Return what went wrong in one line that holds no address and none of ``secrets``."""
    text = " ".join(text_of(exc).split())
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = redact_text(_address.sub("<an address>", text))[:MAX_REASON]
    if isinstance(exc, DeliveryError):
        return text
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


def secrets_of(config: Config) -> frozenset[str]:
    """Return the values of the secret settings, and the parts of those that are addresses."""
    found: set[str] = set()
    for setting in config.settings.values():
        value = getattr(config, setting.name) if setting.secret else None
        for text in value if isinstance(value, list) else [value]:
            if text:
                found |= set(_parts(str(text)))
    return frozenset(found)


def _parts(text: str) -> Iterable[str]:
    """Return what must not be shown of a secret: of an address, its path, and whatever may be a token."""
    yield text
    rest = text.partition("://")[2]
    if "/" in rest:
        path = rest[rest.index("/") :]
        if len(path) > 4:
            yield path
    yield from (part for part in re.split(r"[/?&=@:,#]+", rest) if len(part) >= 8 and "." not in part)
