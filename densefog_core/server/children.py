"""The processes of the supervisor: how one is started, when it is started again, and how it ended."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from densefog_core.server.listeners import LISTEN_FD
from densefog_core.server.notify import READY_FD

SETTLED = 10.0
"""Seconds after which a child has started well, and its next death is not an early one."""

_FIRST_BACKOFF, _LAST_BACKOFF = 0.5, 30.0  # seconds before an early death is followed by another start
_PR_SET_PDEATHSIG = 1
#: What systemd says to the supervisor is not for its children.
_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


@dataclass(slots=True, eq=False)
class Child:
    """One number, and the process that has it now.

    Attributes:
        index: the number, from 0 on.
        process: None while it is not running.
        started: monotonic time of its start.
        early_deaths: how often in a row it died before it was ready and settled.
        due: monotonic time of the next start.
        ready: whether it said that it serves.
        pipe: where it says so, or None.
        kill_at: monotonic time at which it is killed if it has not ended; infinity while nobody asked it to.
    """

    index: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    early_deaths: int = 0
    due: float = 0.0
    ready: bool = False
    pipe: int | None = None
    kill_at: float = float("inf")

    def backoff(self, now: float) -> float:
        """Note a death, and return after how many seconds the next start is due.

        A process that was ready starts again at once: what it was killed by is most often one job, and an API is not
        to be away for it.
        """
        well = self.ready or now - self.started >= SETTLED
        self.early_deaths = 0 if well else self.early_deaths + 1
        wait = 0.0 if well else min(_FIRST_BACKOFF * 2 ** (self.early_deaths - 1), _LAST_BACKOFF)
        self.due = now + wait
        return wait

    def read(self) -> None:
        """Take what it says over its pipe."""
        if self.pipe is not None:
            # Nothing comes when what the process has started holds the pipe.
            with suppress(BlockingIOError):
                self.ready = os.read(self.pipe, 1) == b"1"
            self.close()

    def close(self) -> None:
        """Listen to it no more."""
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it runs."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)

    def drain(self, kill_at: float) -> None:
        """Ask it to end."""
        self.kill_at = kill_at
        self.signal(signal.SIGTERM)


class Spawner:
    """Starts the command as a child that dies with this process.

    Args:
        command: the program and its arguments.
        count: how many of them there are, which each is told.
        env: their environment.
        listener: the socket that they share, or None.
    """

    def __init__(
        self, command: Sequence[str], count: int, env: Mapping[str, str], listener: socket.socket | None
    ) -> None:
        self._command = list(command)
        given = {"DENSEFOG_PROCESSES": str(count)}
        self._descriptors: tuple[int, ...] = ()
        if listener is not None:
            self._descriptors = (listener.fileno(),)
            given[LISTEN_FD] = str(listener.fileno())
        self._env = {name: value for name, value in env.items() if name not in _SYSTEMD} | given
        self._set_death_signal = _death_signal_setter()

    def start(self, child: Child, now: float) -> None:
        """Give the child a process.

        Raises:
            OSError: it cannot be started.
        """
        parent = os.getpid()

        def prepare() -> None:
            self._set_death_signal()
            if os.getppid() != parent:
                # It died before the child asked to be told.
                os._exit(1)

        child.started, child.ready = now, False
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        try:
            # A process group of its own: Ctrl-C in a terminal reaches the supervisor only, and the children once, from
            # it.
            child.process = subprocess.Popen(
                self._command,
                env={**self._env, "DENSEFOG_PROCESS": str(child.index), READY_FD: str(writer)},
                preexec_fn=prepare,  # safe, as there are no other threads
                process_group=0,
                pass_fds=(*self._descriptors, writer),
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        child.pipe = reader


def _death_signal_setter() -> Callable[[], object]:
    """Return what a new child calls to be killed when its parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def reason(code: int) -> str:
    """Say in words how a process ended, from its return code as subprocess gives it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
