"""Waiting until the provider is done with something."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator

from densefog_core.errors.iaas_error import WaitObjectInterrupt, WaitObjectNotFound, WaitObjectTimeout
from densefog_core.jobs import current_job
from densefog_plugins.models.resource import BUSY_SUFFIX, DELETED
from densefog_plugins.models.sessions import end_reads

#: Seconds that waiting takes unless it is told otherwise: the first pause, the longest one, and all of it.
INTERVAL, MAX_INTERVAL, TIMEOUT = 0.5, 10.0, 600.0

Fetch = Callable[[], str | None]


def wait_for(
    fetch: Fetch,
    wanted: str | Collection[str],
    *,
    busy: Collection[str] | None = None,
    interval: float = INTERVAL,
    max_interval: float = MAX_INTERVAL,
    timeout: float = TIMEOUT,
) -> str:
    """Ask for an object's status, ever more seldom, until it is a wanted one; return that.

    Args:
        fetch: returns the status, None when there is no such object.
        wanted: one status or several.
        busy: those from which a wanted one can still be reached; default: all that end with ``ing``.
        interval: seconds until it is asked for the second time; each pause is half as long again.
        max_interval: seconds of the longest pause.
        timeout: seconds until waiting is given up.

    Raises:
        WaitObjectNotFound: it is gone.
        WaitObjectInterrupt: its status is one from which no wanted one can be reached.
        WaitObjectTimeout: it took too long.
    """
    ends = {wanted} if isinstance(wanted, str) else set(wanted)
    for _ in pauses(interval, max_interval, timeout):
        status = fetch()
        if status in ends:
            return str(status)
        if status is None:
            raise WaitObjectNotFound(f"The object is gone; awaited was {_list(ends)}.")
        if not (status.endswith(BUSY_SUFFIX) if busy is None else status in busy):
            raise WaitObjectInterrupt(f"The object's status is {status}; awaited was {_list(ends)}.")
    raise WaitObjectTimeout(f"The object's status is {status} after {timeout:g} seconds; awaited was {_list(ends)}.")


def wait_deleted(
    fetch: Fetch,
    *,
    interval: float = INTERVAL,
    max_interval: float = MAX_INTERVAL,
    timeout: float = TIMEOUT,
) -> None:
    """Wait until an object is gone, or its status says so; see `wait_for`. Only ``error`` ends the waiting before.

    Raises:
        WaitObjectInterrupt: it is in error.
        WaitObjectTimeout: it took too long.
    """
    for _ in pauses(interval, max_interval, timeout):
        status = fetch()
        if status is None or status in DELETED:
            return
        if status == "error":
            raise WaitObjectInterrupt("The object is in error; awaited was its end.")
    raise WaitObjectTimeout(f"The object's status is {status} after {timeout:g} seconds; awaited was its end.")


def pauses(interval: float, max_interval: float, timeout: float) -> Iterator[float]:
    """Yield the seconds gone by, with a pause in between that grows, until ``timeout``; at least once.

    No connection is held that was only read from, neither while the provider is asked nor during the pauses.
    In a job the pauses end when the job is cancelled, times out or is given back.
    """
    sleep = current_job.sleep if current_job else time.sleep
    started = time.monotonic()
    while True:
        end_reads()
        gone = time.monotonic() - started
        yield gone
        left = timeout - (time.monotonic() - started)
        if left <= 0:
            return
        # Uneven, so that jobs which began together do not ask together.
        end_reads()
        sleep(min(interval * random.uniform(0.8, 1.2), left))
        interval = min(interval * 1.5, max_interval)


def _list(statuses: Collection[str]) -> str:
    return " or ".join(sorted(statuses))
