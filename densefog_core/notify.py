"""Notices: who is told when a job fails, and how a slow or broken channel is kept from harming a job."""

from __future__ import annotations

import logging
import re
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from densefog_core.errors import ConfigError
from densefog_core.jobs import Job, JobEvent
from densefog_core.notices.records import TOPICS, Channel, Count, DeliveryError, Notification, Topic
from densefog_core.notify_durable import NOTIFY, Teller
from densefog_core.notify_queue import QUEUE_SIZE, Outbox, secrets_of
from densefog_core.notify_storm import Storm
from densefog_core.redact import redact_text
from densefog_core.registry import did_you_mean
from densefog_core.settings import Setting

if TYPE_CHECKING:
    from types import TracebackType

    from densefog_core.app import App
    from densefog_core.config import Config

__all__ = [
    "QUEUE_SIZE", "TOPICS", "Channel", "ChannelFactory", "Count", "DeliveryError", "FunctionChannel", "LogChannel",
    "Notification", "Notifier", "Topic",
]  # fmt: skip

#: Frames and characters of an exception that a notice carries.
MAX_FRAMES, MAX_TRACEBACK = 4, 2000
#: Characters of an error's first line that are compared with those of others.
MAX_LINE = 300

_logger = logging.getLogger("densefog.notify")

ChannelFactory = Callable[["Config"], Channel | None]


def declare_options(config: Config, channel: str) -> str:
    """Declare the settings that every channel has; return what their names begin with."""
    plugin = re.sub(r"\W", "_", channel)
    config.declare(Setting(name=f"{plugin}_topics", type=list, plugin=plugin,
                           help="Topics that the channel is told of; unset takes its own."))
    config.declare(Setting(name=f"{plugin}_rate", type=int, plugin=plugin, minimum=0,
                           help="Notices a minute to the channel; unset takes notify_rate."))
    return plugin


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
        level = logging.ERROR if notification.is_end else logging.WARNING
        _logger.log(level, "%s", notification.text.replace("\n", "; "))


class Notifier:
    """Hands each notice to every channel that wants its topic, off the job's path."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._outboxes: list[Outbox] = []
        self._host = socket.gethostname()
        self._teller: Teller | None = None
        self._started = False

    def start(self) -> None:
        """Make the channels that ``notify_channels`` names; unset, every one whose settings are present.

        Raises:
            RegistrationError: a channel is unknown.
            ConfigError: a named channel's settings are missing, or wrong.
        """
        if self._started:
            return
        self._started = True
        for name, channel in self.channels():
            self.add(channel, name)
        if self._app.config.notify_durable:
            self._teller = Teller(self._app)

    def channels(self, *names: str) -> Iterator[tuple[str, Channel]]:
        """Make channels; see `start`.

        Args:
            *names: those that are wanted, instead of what the settings say.
        """
        named = names or self._app.config.notify_channels
        for name in self._app.channels if named is None else named:
            channel = self._app.pick(self._app.channels, name)(self._app.config)
            if channel is not None:
                yield name, channel
            elif names:
                raise ConfigError(f"channel {name!r} cannot be used: its settings are not present")
            elif named is not None:
                raise ConfigError(f"notify_channels names {name!r}, but its settings are not present")

    def add(self, channel: Channel | Callable[[Notification], object], name: str | None = None) -> None:
        """Add one channel, or a function that is called with each `Notification` of a failure.

        Raises:
            ConfigError: ``<name>_topics`` or ``<name>_rate`` is wrong.
        """
        name = self._unique(name or str(getattr(channel, "__name__", type(channel).__name__)))
        made = channel if isinstance(channel, Channel) else FunctionChannel(channel)
        topics, rate = self._options(name, made)
        storm = Storm(rate, self._app.config.notify_window)
        self._outboxes.append(Outbox(name, made, topics, storm, secrets_of(self._app.config)))

    def _unique(self, name: str) -> str:
        taken = sum(outbox.name.partition("#")[0] == name for outbox in self._outboxes)
        return f"{name}#{taken + 1}" if taken else name

    def _options(self, name: str, channel: Channel) -> tuple[list[str], int]:
        """Read the settings that every channel has."""
        config = self._app.config
        plugin = declare_options(config, name.partition("#")[0])
        topics, rate = getattr(config, f"{plugin}_topics"), getattr(config, f"{plugin}_rate")
        for topic in topics or ():
            if topic not in TOPICS:
                hint = did_you_mean(topic, TOPICS)
                raise ConfigError(f"setting {plugin}_topics: unknown topic {topic!r}{hint}; known: {', '.join(TOPICS)}")
        return list(channel.topics) if topics is None else topics, config.notify_rate if rate is None else rate

    def outbox(self, name: str) -> Outbox | None:
        """Return the outbox of a channel, or None when it is not used here."""
        return next((one for one in self._outboxes if one.name == name), None)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, by channel, how many notices were sent, failed and dropped, are waiting and held back."""
        return {outbox.name: outbox.counts() for outbox in self._outboxes}

    def handle(self, event: JobEvent) -> None:
        """Make a notice of an event and queue it for the channels; never blocks."""
        topic = _topic(event)
        if topic is None or event.job.action == NOTIFY:
            return
        if self._teller is not None and topic in ("gave_up", "lost"):
            self._teller.wake()
            return
        key = None
        for outbox in self._outboxes:
            if topic in outbox.topics:
                key = key or (topic, event.job.action, _failure(event.error, event.exception))
                outbox.put(key, event.job, lambda: self.notice(topic, event.job, event.error, event.exception))

    def notice(
        self, topic: Topic, job: Job, error: str = "", exception: BaseException | None = None
    ) -> Notification:
        """Return the notice of what happened to a job."""
        return Notification(
            topic=topic, job=job, error=_sendable(error), host=self._host, is_last_chance=topic in ("gave_up", "lost"),
            failure=_failure(error, exception),
            traceback="" if exception is None else _sendable(_last_lines(exception)),
        )

    def stop(self, timeout: float) -> None:
        """Send what waits, for ``timeout`` seconds at most."""
        deadline = time.monotonic() + timeout
        if self._teller is not None:
            self._teller.stop()
        outboxes, self._outboxes = self._outboxes, []
        for outbox in outboxes:
            outbox.close(deadline)
        for outbox in outboxes:
            outbox.stop(deadline)


def _topic(event: JobEvent) -> Topic | None:
    if event.kind == "finished" and event.job.trys > 1:
        return "recovered"
    topics: dict[str, Topic] = {
        "started": "started", "retrying": "failed", "failed": "gave_up", "finished": "finished", "lost": "lost",
    }
    return topics.get(event.kind)


def _sendable(text: str) -> str:
    """Return ``text`` without what UTF-8 cannot hold, such as parts of file names that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()


def _failure(error: str, exception: BaseException | None) -> str:
    """Return what two failures have in common: exception type and last frame, or the text without its numbers."""
    if exception is None:
        line = error[:MAX_LINE].partition("\n")[0]
        return _sendable(re.sub(r"\w*\d[\w-]*", "#", line)[:100])
    name = type(exception).__qualname__
    frame = _last_frame(exception.__traceback__)
    if frame is None:
        return name
    code = frame.tb_frame.f_code
    return _sendable(f"{name} at {code.co_filename.rpartition('/')[2]}:{frame.tb_lineno} in {code.co_name}")


def _last_frame(frame: TracebackType | None) -> TracebackType | None:
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame


def _last_lines(exception: BaseException) -> str:
    """Return an exception's last frames, without secrets; what it was raised from is left out."""
    lines: Any = traceback.format_exception(type(exception), exception, exception.__traceback__, -MAX_FRAMES, False)
    return redact_text("".join(lines).rstrip())[-MAX_TRACEBACK:]
