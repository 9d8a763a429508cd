"""The last of the three timeout layers: a process whose loop is blocked for good ends itself."""

from __future__ import annotations

import gevent

from densefog_plugins.worker import machine
from densefog_plugins.worker.tries import GRACE, STDERR, Tries, Try

#: Seconds between two looks at the clock, and the longest time that the loop may be blocked when no job runs.
INTERVAL = 1.0
IDLE_LIMIT = 60.0


class Watchdog:
    """Arms a timer in C that dumps every stack on stderr and ends the process; a greenlet re-arms it.

    While a handler blocks the loop, in Python or in a C call that holds the GIL, nobody re-arms it. It goes off when
    the first running try is past its timeout and twice the grace: if the heartbeat runs at all, it has ended the
    process in a better way by then. The supervisor starts it again; its jobs go to others when their leases end.
    """

    def __init__(self, tries: Tries) -> None:
        self._tries = tries
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._due = 0.0
        self._idle = True

    def start(self) -> None:
        """Arm it."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Disarm it."""
        if self._greenlet is not None:
            self._greenlet.kill()
        machine.end_no_more()

    def watch(self, one: Try) -> None:
        """Arm it for a try that starts, which may block the loop before the greenlet runs again."""
        if self._greenlet is not None and (self._idle or one.stuck_at + GRACE < self._due):
            self._arm()

    def _run(self) -> None:
        while True:
            self._arm()
            gevent.sleep(INTERVAL)

    def _arm(self) -> None:
        running = self._tries.running()
        now = machine.monotonic()
        first = min((one.stuck_at for one in running), default=now + IDLE_LIMIT)
        self._idle, self._due = not running, max(first + GRACE, now + GRACE)
        machine.end_later(self._due - now, exit=True, file=STDERR)
