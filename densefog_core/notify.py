"""Notices: who is told when a job fails, and how a slow or broken channel is kept from harming a job."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from densefog_core.jobs import Job, JobEvent

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.config import Config

Topic = Literal["started", "failed", "gave_up", "recovered", "finished", "lost"]

#: Notices that wait for one channel; more are dropped, and counted in the log.
QUEUE_SIZE = 1000

_logger = logging.getLogger("densefog.notify")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a channel is given to send; secrets are redacted already. Fields may be added.

    Attributes:
        topic: ``failed``, a try failed and another follows; ``gave_up``, the last try failed; ``recovered``, a job
            finished after failed tries; ``lost``, a worker died during the last try; ``started`` and ``finished``.
        job: the job's record as the try saw it.
        error: text of the failure, or the empty string.
        is_last_chance: whether the try was the last one.
        host: name of the machine that the worker runs on.
    """

    topic: Topic
    job: Job
    error: str = ""
    is_last_chance: bool = False
    host: str = ""

    @property
    def title(self) -> str:
        """One line: what happened to which job."""
        which = f"{self.job.action} {self.job.id}"
        last = ", the last one" if self.is_last_chance else ""
        return {
            "started": f"job {which} started",
            "finished": f"job {which} finished",
            "recovered": f"job {which} finished after {self.job.trys - 1} failed tries",
            "lost": f"job {which} was lost: its worker died in the last try",
        }.get(self.topic, f"job {which} failed (try {self.job.trys} of {self.job.try_max}{last})")

    @property
    def text(self) -> str:
        """The title, and the facts below it."""
        facts = {"project": self.job.project_id, "host": self.host, "context": self.job.id[-4:], "error": self.error}
        return "\n".join([self.title, *(f"{name}: {value}" for name, value in facts.items() if value)])


@runtime_checkable
class Channel(Protocol):
    """Sends notices somewhere."""

    @property
    def topics(self) -> Iterable[str]:
        """The topics that it wants."""

    def send(self, notification: Notification) -> None:
        """Send one notice; whatever it raises is logged, with the channel's name."""


ChannelFactory = Callable[["Config"], Channel | None]


class FunctionChannel:
    """A channel made of a function, for ``worker.add_notifier``."""

    topics = ("failed", "gave_up", "lost")

    def __init__(self, function: Callable[[Notification], object]) -> None:
        self._function = function

    def send(self, notification: Notification) -> None:
        """Call the function."""
        self._function(notification)


class LogChannel:
    """Writes notices to the log; it is always there."""

    topics = ("failed", "gave_up", "recovered", "lost")

    def send(self, notification: Notification) -> None:
        """Log one notice, as an error when the job has ended."""
        level = logging.ERROR if notification.topic in ("gave_up", "lost") else logging.WARNING
        _logger.log(level, "%s", notification.text.replace("\n", "; "))


class _Outbox:
    """One channel with its queue and the thread that empties it."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        self.channel = channel
        self.topics = frozenset(channel.topics)
        self._queue: queue.Queue[Notification | None] = queue.Queue(QUEUE_SIZE)
        self._thread = threading.Thread(target=self._run, name=f"notify-{name}", daemon=True)
        self._thread.start()

    def put(self, notification: Notification) -> None:
        try:
            self._queue.put_nowait(notification)
        except queue.Full:
            _logger.error("channel %s is too slow; dropped: %s", self.name, notification.title)

    def stop(self, deadline: float) -> None:
        try:
            self._queue.put(None, timeout=max(0.0, deadline - time.monotonic()))
        except queue.Full:
            pass
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if left := self._queue.qsize():
            _logger.error("channel %s: %d notices were not sent before shutdown", self.name, left)

    def _run(self) -> None:
        while (notification := self._queue.get()) is not None:
            try:
                self.channel.send(notification)
            except Exception as exc:  # noqa: BLE001 - a broken channel must not harm jobs or other channels
                _logger.error("channel %s could not send %r: %s", self.name, notification.title, exc)


class Notifier:
    """Hands each notice to every channel that wants its topic, off the job's path."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._outboxes: list[_Outbox] = []
        self._host = socket.gethostname()
        self._started = False

    def start(self) -> None:
        """Make the channels that ``notify_channels`` names; unset, every one whose settings are present.

        Raises:
            RegistrationError: a channel is unknown.
            ConfigError: a named channel's settings are missing, or wrong.
        """
        from densefog_core.errors import ConfigError

        if self._started:
            return
        self._started = True
        named = self._app.config.notify_channels
        for name in self._app.channels if named is None else named:
            channel = self._app.pick(self._app.channels, name)(self._app.config)
            if channel is not None:
                self.add(channel, name)
            elif named is not None:
                raise ConfigError(f"notify_channels names {name!r}, but its settings are not present")

    def add(self, channel: Channel | Callable[[Notification], object], name: str | None = None) -> None:
        """Add one channel, or a function that is called with each `Notification` of a failure."""
        name = name or str(getattr(channel, "__name__", type(channel).__name__))
        made = channel if isinstance(channel, Channel) else FunctionChannel(channel)
        self._outboxes.append(_Outbox(name, made))

    def handle(self, event: JobEvent) -> None:
        """Make a notice of an event and queue it for the channels; never blocks."""
        topic = _topic(event)
        if topic is None or not self._outboxes:
            return
        notification = Notification(
            topic=topic, job=event.job, error=event.error, host=self._host,
            is_last_chance=event.kind in ("failed", "lost"),
        )
        for outbox in self._outboxes:
            if topic in outbox.topics:
                outbox.put(notification)

    def stop(self, timeout: float) -> None:
        """Send what waits, for ``timeout`` seconds at most."""
        deadline = time.monotonic() + timeout
        outboxes, self._outboxes = self._outboxes, []
        for outbox in outboxes:
            outbox.stop(deadline)


def _topic(event: JobEvent) -> Topic | None:
    if event.kind == "finished" and event.job.trys > 1:
        return "recovered"
    topics: dict[str, Topic] = {
        "started": "started", "retrying": "failed", "failed": "gave_up", "finished": "finished", "lost": "lost",
    }
    return topics.get(event.kind)
