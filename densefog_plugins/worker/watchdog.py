"""The last of the three timeout layers: a process whose loop is blocked for good ends itself."""

from __future__ import annotations

import faulthandler
import time

import gevent

from densefog_plugins.worker.tries import GRACE, Tries

#: Seconds between two looks at the clock, and the longest time that the loop may be blocked when no job runs.
INTERVAL = 1.0
IDLE_LIMIT = 60.0
#: The descriptor that the stacks go to.
STDERR = 2


class Watchdog:
    """Arms a timer in C that dumps every stack on stderr and ends the process; a greenlet re-arms it.

    While a handler blocks the loop, in Python or in a C call that holds the GIL, nobody re-arms it. It goes off when
    the first running try is past its timeout and twice the grace: the heartbeat has had time to write that.
    The supervisor starts the process again, and other workers take its jobs when their leases end.
    """

    def __init__(self, tries: Tries) -> None:
        self._tries = tries
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Arm it."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Disarm it."""
        if self._greenlet is not None:
            self._greenlet.kill()
        faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        while True:
            faulthandler.dump_traceback_later(self._limit(), exit=True, file=STDERR)
            gevent.sleep(INTERVAL)

    def _limit(self) -> float:
        running = self._tries.running()
        if not running:
            return IDLE_LIMIT
        first = min(one.stuck_at for one in running) + GRACE
        return max(first - time.monotonic(), GRACE)
