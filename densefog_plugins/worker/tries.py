"""The tries that a worker holds: what runs, since when, and until when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gevent

from densefog_core.jobs import Job, JobInterrupt, Lease
from densefog_plugins.worker import machine

#: Seconds after its timeout at which a try that did not stop is taken to be stuck.
GRACE = 5.0
#: The descriptor that the stacks of a process go to whose loop is blocked.
STDERR = 2


@dataclass(eq=False)
class Try:
    """One try of a job.

    Attributes:
        job: its record.
        timeout: seconds that it may take.
        started: monotonic time of its start.
        greenlet: what runs it.
        running: whether its handler has not ended; afterwards its outcome waits to be written.
        expired: whether the heartbeat has given it up because it did not stop.
        early: what to raise in the handler, which has not begun.
    """

    job: Job
    timeout: float
    started: float = field(default_factory=lambda: machine.monotonic())
    greenlet: gevent.Greenlet[..., Any] | None = None
    running: bool = True
    expired: bool = False
    early: JobInterrupt | None = None
    _begun: bool = False

    @property
    def stuck_at(self) -> float:
        """Monotonic time after which the try is taken to be stuck."""
        return self.started + self.timeout + GRACE

    def begin(self) -> None:
        """Begin, unless it was interrupted before that."""
        self.started, self._begun = machine.monotonic(), True
        if self.early is not None:
            raise self.early

    def interrupt(self, error: JobInterrupt) -> None:
        """Raise ``error`` in the handler, where it next yields."""
        if not self._begun:
            # A greenlet that is killed before it runs never does: there would be no outcome.
            self.early = error
        elif self.running and self.greenlet is not None:
            self.greenlet.kill(error, block=False)


class Tries(dict[Lease, Try]):
    """The tries of one worker by lease: those that run, and those whose outcome is not written yet.

    The native thread reads it while greenlets write it; each method takes what it needs in one step under the GIL.
    """

    def leases(self) -> list[Lease]:
        """Return the leases to renew: all but those of tries that are stuck."""
        return [lease for lease, one in list(self.items()) if not one.expired]

    def running(self) -> list[Try]:
        """Return the tries whose handler has not ended."""
        return [one for one in list(self.values()) if one.running]

    def expired(self) -> list[Try]:
        """Return the tries that were given up and still run."""
        return [one for one in self.running() if one.expired]

    def stuck(self) -> list[Try]:
        """Return the tries that should have stopped some time ago and have not been given up yet."""
        now = machine.monotonic()
        return [one for one in self.running() if not one.expired and now > one.stuck_at]
