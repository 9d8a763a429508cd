"""Processes of one command, kept alive: what ``densefog-serve`` runs under.

The children are fresh processes, not forks, so nothing that one imported or opened is shared, and a restart runs the
code that is installed then. Each knows its number from ``DENSEFOG_PROCESS``. They share the supervisor's socket.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType

from densefog_core.server import notify
from densefog_core.server.children import SETTLED, Child, Spawner, reason

EX_CONFIG = 78
"""The exit code (sysexits.h) of a child whose configuration is wrong: to start it again would not help."""

_KILL_GRACE = 5.0  # seconds on top of the drain timeout, for a child to notice that its own is over
_NEVER = 3600.0  # seconds between two looks when nothing is due
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def supervise(
    command: Sequence[str],
    count: int,
    *,
    drain_timeout: float,
    log: logging.Logger,
    env: Mapping[str, str] | None = None,
    listener: socket.socket | None = None,
) -> int:
    """Run processes of a command until SIGTERM or SIGINT; start again what dies.

    Must be called in the main thread of a process that has no others. The first signal is passed on to the children as
    SIGTERM; a second one, or the end of the drain, kills them. SIGHUP starts new processes, and drains the old ones
    when all of the new ones are ready. A child that was ready is started again at once; one that dies before that, and
    within 10 seconds of its start, after 0.5 seconds, twice that the next time, up to 30. When the supervisor itself
    is killed, the kernel kills the children (Linux only), so that they do not hold the port against its successor.

    Args:
        command: The program and its arguments.
        count: How many processes; they get the numbers from 0 on.
        drain_timeout: Seconds that a child may take to end.
        log: Gets a line for each start and end of a child.
        env: The children's environment; this process's own when None.
        listener: A socket that listens, for all of them; it is closed when the drain begins.

    Returns:
        0 after a drain in which every child ended in time and without an error, 1 after another drain,
        `EX_CONFIG` when a child ended with that before any had started well.
    """
    spawner = Spawner(command, count, os.environ if env is None else env, listener)
    with _Wakeups() as wakeups:
        return _Supervisor(count, spawner, drain_timeout, log, listener, wakeups).run()


class _Wakeups:
    """Waits for signals, and for children that have something to say."""

    def __enter__(self) -> _Wakeups:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._before = {number: signal.signal(number, self._ignore) for number in _SIGNALS}
        self._fd = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.set_wakeup_fd(self._fd)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _ignore(self, number: int, frame: FrameType | None) -> None:
        """The number is in the pipe."""

    def wait(self, seconds: float, children: Iterable[Child]) -> list[signal.Signals]:
        """Return the signals that came; let children say what they have to say."""
        speaking = {child.pipe: child for child in children if child.pipe is not None}
        readable, _, _ = select.select([self._reader, *speaking], [], [], seconds)
        for descriptor in readable:
            if descriptor in speaking:
                speaking[descriptor].read()
        return [signal.Signals(one) for one in os.read(self._reader, 512)] if self._reader in readable else []


class _Supervisor:
    def __init__(
        self, count: int, spawner: Spawner, drain_timeout: float, log: logging.Logger,
        listener: socket.socket | None, wakeups: _Wakeups,
    ) -> None:
        self._several = count > 1
        self._children = [Child(index) for index in range(count)]
        self._successors: list[Child] = []
        self._leaving: list[Child] = []
        self._spawner = spawner
        self._patience = drain_timeout + _KILL_GRACE
        self._log = log
        self._listener = listener
        self._wakeups = wakeups
        self._watchdog = notify.watchdog_interval()
        self._stopping = False
        self._settled = False
        self._told = False
        self._status = 0

    def _all(self) -> list[Child]:
        return [*self._children, *self._successors, *self._leaving]

    def run(self) -> int:
        while not (self._stopping and not any(child.process for child in self._all())):
            now = time.monotonic()
            for child in self._all():
                if child.process is not None and now >= child.kill_at:
                    self._kill(child)
            if not self._stopping:
                self._start_due(now)
            for received in self._wakeups.wait(self._pause(now), self._all()):
                self._on_signal(received)
            self._reap()
            self._advance()
        return self._status

    def _pause(self, now: float) -> float:
        """Return the seconds until something is due."""
        due = [child.kill_at for child in self._all() if child.process is not None]
        if not self._stopping:
            due += [child.due for child in self._children if child.process is None]
        if self._watchdog is not None:
            notify.alive()
            due.append(now + self._watchdog)
        return min(max(min(due, default=now + _NEVER) - now, 0.0), _NEVER)

    def _start_due(self, now: float) -> None:
        for child in self._children:
            if child.process is None and child.due <= now:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        try:
            self._spawner.start(child, now)
        except OSError as exc:
            wait = child.backoff(now)
            self._log.error("process %d cannot be started: %s; next try in %g s", child.index, exc, wait)
        else:
            assert child.process is not None
            self._log.log(self._level(logging.INFO), "process %d started, pid %d", child.index, child.process.pid)

    def _level(self, level: int) -> int:
        """Return the level of a line about the start: who starts one process wants to read what that says, alone."""
        return level if self._several or self._settled else logging.DEBUG

    # -- signals -------------------------------------------------------------------------------------------

    def _on_signal(self, received: signal.Signals) -> None:
        if received == signal.SIGCHLD:
            return
        if received == signal.SIGHUP:
            self._restart()
        elif self._stopping:
            self._log.warning("%s again: the processes are killed", received.name)
            for child in self._all():
                self._kill(child)
        else:
            self._log.info("%s: draining", received.name)
            self._drain()

    def _drain(self) -> None:
        self._stopping = True
        notify.stopping()
        if self._listener is not None:
            # Whoever comes now is refused as soon as the children have stopped to accept.
            self._listener.close()
        for child in self._all():
            child.drain(time.monotonic() + self._patience)

    def _kill(self, child: Child) -> None:
        child.kill_at = float("inf")
        if child.process is not None:
            self._status = self._status or (1 if self._stopping else 0)
            child.signal(signal.SIGKILL)

    # -- restart -------------------------------------------------------------------------------------------

    def _restart(self) -> None:
        """Start new processes beside the old ones."""
        if self._stopping or self._successors:
            return
        self._log.info("SIGHUP: new processes start, then the old ones drain")
        notify.reloading()
        self._successors = [Child(child.index) for child in self._children]
        for child in self._successors:
            self._start(child, time.monotonic())

    def _advance(self) -> None:
        """Let the new processes take over when all of them are ready; tell systemd when all there must be are."""
        if self._successors and not self._stopping:
            if any(child.process is None for child in self._successors):
                self._log.error("the new processes cannot start; the old ones go on")
                self._leave(self._successors)
                notify.ready()
            elif all(child.ready for child in self._successors):
                self._leave(self._children)
                self._children = self._successors
                notify.ready()
            else:
                return
            self._successors = []
        if not self._told and all(child.ready for child in self._children):
            self._told = True
            notify.ready()

    def _leave(self, children: list[Child]) -> None:
        for child in children:
            if child.process is not None:
                child.drain(time.monotonic() + self._patience)
                self._leaving.append(child)

    # -- deaths --------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        now = time.monotonic()
        self._settled = self._settled or any(
            child.process is not None and (child.ready or now - child.started >= SETTLED) for child in self._children
        )
        for child in self._all():
            code = None if child.process is None else child.process.poll()
            if child.process is not None and code is not None:
                pid, child.process = child.process.pid, None
                child.read()
                self._on_death(child, pid, code, now)
        self._leaving = [child for child in self._leaving if child.process is not None]

    def _on_death(self, child: Child, pid: int, code: int, now: float) -> None:
        if self._stopping or child in self._leaving:
            self._log.info("process %d (pid %d) ended: %s", child.index, pid, reason(code))
            # A restart that failed is no failed stop.
            if self._stopping and child in self._children and code not in (0, -signal.SIGTERM):
                self._status = self._status or 1
        elif child in self._successors:
            self._log.error("process %d (pid %d) cannot start: %s", child.index, pid, reason(code))
        elif code == EX_CONFIG and not self._settled:
            # The child has said what is wrong.
            line = "process %d (pid %d) cannot start: %s"
            self._log.log(self._level(logging.ERROR), line, child.index, pid, reason(code))
            self._status = EX_CONFIG
            self._drain()
        else:
            wait = child.backoff(now)
            self._log.error("process %d (pid %d) died: %s; next start in %g s", child.index, pid, reason(code), wait)
