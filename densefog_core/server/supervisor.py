"""Several processes of one command, kept alive: what ``densefog-serve --workers N`` runs under.

The children are fresh processes, not forks, so nothing that one imported or opened is shared. Each knows its number
from ``DENSEFOG_PROCESS``. They share a port by ``SO_REUSEPORT``, which has no notion of "taken": whoever else
sets it may join. So the supervisor binds the port once without it, before the first child starts (`check_port`).
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from densefog_core.errors import StartupError

EX_CONFIG = 78
"""The exit code (sysexits.h) of a child whose configuration is wrong: to start it again would not help."""

_SETTLED = 10.0  # seconds after which a child has started well, and the next death is not an early one
_FIRST_BACKOFF, _LAST_BACKOFF = 0.5, 30.0  # seconds before an early death is followed by another start
_KILL_GRACE = 5.0  # seconds on top of the drain timeout, for a child to notice that its own is over
_NEVER = 3600.0  # seconds between two looks when nothing is due
_PR_SET_PDEATHSIG = 1
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})


def check_port(host: str, port: int) -> None:
    """Make sure that several processes can share a port, before they start.

    Raises:
        StartupError: The port is taken, the host is none of this machine, or the port is 0.
    """
    if port == 0:
        raise StartupError("several processes cannot share port 0, each would get its own; give a --port")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            # Lets the port pass that a server closed a moment ago, but not one that is listened on.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise StartupError(
            f"cannot listen on {host} port {port}: {exc.strerror or exc}; choose another with --host and --port"
        ) from None


def supervise(
    command: Sequence[str],
    count: int,
    *,
    drain_timeout: float,
    log: logging.Logger,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run processes of a command until SIGTERM or SIGINT; start again what dies.

    Must be called in the main thread of a process that has no others. The first signal is passed on to the children as
    SIGTERM; a second one, or the end of the drain, kills them. A child that dies within 10 seconds of its start is
    started again after 0.5 seconds, twice that the next time, up to 30. When the supervisor itself is killed,
    the kernel kills the children (Linux only), so that they do not hold the port against its successor.

    Args:
        command: The program and its arguments.
        count: How many processes; they get the numbers from 0 on.
        drain_timeout: Seconds that a child may take to end.
        log: Gets a line for each start and end of a child.
        env: The children's environment; this process's own when None.

    Returns:
        0 after a drain in which every child ended in time and without an error, 1 after another drain,
        `EX_CONFIG` when a child ended with that before any had started well.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        children = [_Child(index) for index in range(count)]
        spawner = _Spawner(command, os.environ if env is None else env, mask)
        return _Supervisor(children, spawner, drain_timeout, log).run()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@dataclass(slots=True)
class _Child:
    """One number, and the process that has it now."""

    index: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    early_deaths: int = 0
    due: float = 0.0

    def backoff(self, now: float) -> float:
        """Note a death, and return after how many seconds the next start is due."""
        settled = now - self.started >= _SETTLED
        self.early_deaths = 0 if settled else self.early_deaths + 1
        wait = 0.0 if settled else min(_FIRST_BACKOFF * 2 ** (self.early_deaths - 1), _LAST_BACKOFF)
        self.due = now + wait
        return wait


class _Spawner:
    """Starts the command as a child that dies with this process."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], mask: set[signal.Signals | int]) -> None:
        self._command = list(command)
        self._env = env
        self._mask = mask
        self._set_death_signal = _death_signal_setter()

    def start(self, index: int) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def prepare() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._set_death_signal()
            if os.getppid() != parent:
                # It died before the child asked to be told.
                os._exit(1)

        # A process group of its own: Ctrl-C in a terminal reaches the supervisor only, and the children once, from it.
        return subprocess.Popen(
            self._command,
            env={**self._env, "DENSEFOG_PROCESS": str(index)},
            preexec_fn=prepare,  # safe, as there are no other threads
            process_group=0,
        )


def _death_signal_setter() -> Callable[[], object]:
    """Return what a new child calls to be killed when its parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class _Supervisor:
    def __init__(self, children: list[_Child], spawner: _Spawner, drain_timeout: float, log: logging.Logger) -> None:
        self._children = children
        self._spawner = spawner
        self._drain_timeout = drain_timeout
        self._log = log
        self._kill_at = 0.0
        self._stopping = False
        self._settled = False
        self._status = 0

    def run(self) -> int:
        while True:
            now = time.monotonic()
            if self._stopping:
                if not any(child.process for child in self._children):
                    return self._status
                if now >= self._kill_at:
                    self._kill()
            else:
                self._start_due(now)
            received = signal.sigtimedwait(_SIGNALS, self._pause(now))
            if received is not None and received.si_signo != signal.SIGCHLD:
                self._on_signal(signal.Signals(received.si_signo))
            self._reap()

    def _pause(self, now: float) -> float:
        """Return the seconds until something is due."""
        if self._stopping:
            return max(self._kill_at - now, 0.0)
        return max(min((child.due - now for child in self._children if not child.process), default=_NEVER), 0.0)

    def _start_due(self, now: float) -> None:
        for child in self._children:
            if child.process is None and child.due <= now:
                self._start(child, now)

    def _start(self, child: _Child, now: float) -> None:
        child.started = now
        try:
            child.process = self._spawner.start(child.index)
        except OSError as exc:
            wait = child.backoff(now)
            self._log.error("process %d cannot be started: %s; next try in %g s", child.index, exc, wait)
        else:
            self._log.info("process %d started, pid %d", child.index, child.process.pid)

    def _on_signal(self, received: signal.Signals) -> None:
        if self._stopping:
            self._log.warning("%s again: the processes are killed", received.name)
            self._kill()
        else:
            self._log.info("%s: draining", received.name)
            self._drain()

    def _drain(self) -> None:
        self._stopping = True
        self._kill_at = time.monotonic() + self._drain_timeout + _KILL_GRACE
        self._signal(signal.SIGTERM)

    def _kill(self) -> None:
        self._status = self._status or 1
        self._kill_at = time.monotonic() + _NEVER
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.process is not None:
                with suppress(ProcessLookupError):
                    child.process.send_signal(number)

    def _reap(self) -> None:
        now = time.monotonic()
        running = [(child, child.process) for child in self._children if child.process]
        self._settled = self._settled or any(now - child.started >= _SETTLED for child, _ in running)
        for child, process in running:
            code = process.poll()
            if code is not None:
                self._on_death(child, process.pid, code, now)

    def _on_death(self, child: _Child, pid: int, code: int, now: float) -> None:
        child.process = None
        if self._stopping:
            self._log.info("process %d (pid %d) ended: %s", child.index, pid, _reason(code))
            if code not in (0, -signal.SIGTERM):
                self._status = self._status or 1
        elif code == EX_CONFIG and not self._settled:
            self._log.error("process %d (pid %d) cannot start: %s", child.index, pid, _reason(code))
            self._status = EX_CONFIG
            self._drain()
        else:
            wait = child.backoff(now)
            self._log.error("process %d (pid %d) died: %s; next start in %g s", child.index, pid, _reason(code), wait)


def _reason(code: int) -> str:
    """Say in words how a process ended, from its return code as subprocess gives it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
