"""What a server tells who started it: systemd by its socket (sd_notify(3)), the supervisor by a pipe."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

#: Names the descriptor that a child of the supervisor writes to, once, when it serves.
READY_FD = "DENSEFOG_READY_FD"


def is_supervised() -> bool:
    """Return whether the supervisor has started this process."""
    return READY_FD in os.environ


def ready() -> None:
    """Say that calls are answered and jobs are run from now on; what this process starts cannot say it again."""
    descriptor = os.environ.pop(READY_FD, None)
    if descriptor is not None:
        with suppress(OSError):
            os.write(int(descriptor), b"1")
            os.close(int(descriptor))
    tell("READY=1")


def reloading() -> None:
    """Say that a restart has begun; `ready` ends it."""
    tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """Say that the drain has begun."""
    tell("STOPPING=1")


def watchdog_interval() -> float | None:
    """Return the seconds after which systemd wants to hear `alive` again; None when it does not wait for it."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    # Half of it is what sd_watchdog_enabled(3) advises.
    return int(microseconds) / 2e6 if microseconds.isdigit() and int(microseconds) else None


def alive() -> None:
    """Say that this process is not stuck."""
    tell("WATCHDOG=1")


def tell(state: str) -> None:
    """Send systemd a line of state; nothing happens when nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
        teller.setblocking(False)
        teller.sendto(state.encode(), address)
