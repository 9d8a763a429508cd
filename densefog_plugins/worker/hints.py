"""Wake-up hints: who enqueues tells the workers on the same machine, so that they need not poll often.

Each worker listens on a unix datagram socket in a folder that belongs to its database and its user. A hint may get
lost, as when the two run as different users or in different containers: that costs one poll interval and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from densefog_core.config import Config
from densefog_core.redact import redact_text

if TYPE_CHECKING:
    from densefog_core.app import App

#: What makes a database another one. A password is taken out: a folder's name must not be something to guess it by.
_SETTINGS = ("store", "db_url", "db_host", "db_port", "db_database")


#: What wakes the workers that run in this process, by application.
_wakes: WeakKeyDictionary[App, list[Callable[[], None]]] = WeakKeyDictionary()


def wakes(app: App) -> list[Callable[[], None]]:
    """Return what wakes the workers of an application in this process; each adds itself while it runs."""
    return _wakes.setdefault(app, [])


def wake_own(app: App) -> None:
    """Wake the workers of an application in this process."""
    for wake in wakes(app):
        wake()


def folder(config: Config) -> Path:
    """Return the folder of the sockets of the workers of a database."""
    embedded = not (config.db_url or config.db_host)
    named = [config.app_root if embedded else "", *(getattr(config, name) for name in _SETTINGS)]
    digest = hashlib.sha256(redact_text(repr(named)).encode()).hexdigest()[:16]
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"densefog-{os.geteuid()}-{digest}"


class Listener:
    """The socket of one worker process.

    Args:
        config: says which database it is.
    """

    def __init__(self, config: Config) -> None:
        self._path = folder(config) / f"{os.getpid()}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def open(self) -> bool:
        """Begin to listen; False when there is no safe place for the socket, so that no hints will come."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            if not is_ours(self._path.parent):
                return False
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(self._path))
        except OSError:
            return False
        return True

    def fileno(self) -> int:
        """Return the descriptor, which is readable when there is a hint."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Take the hints that have come."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


class Sender:
    """Tells the workers of other processes on this machine that there is work.

    Args:
        config: says which database it is.
    """

    def __init__(self, config: Config) -> None:
        self._folder = folder(config)

    def send(self) -> None:
        """Send every worker a hint; never waits and never raises."""
        with suppress(OSError):
            names = os.listdir(self._folder) if is_ours(self._folder) else []
            own = f"{os.getpid()}.sock"
            others = [self._folder / name for name in names if name.endswith(".sock") and name != own]
            if others:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.setblocking(False)
                    for path in others:
                        _send(sender, path)


def _send(sender: socket.socket, path: Path) -> None:
    # One that blocks has more hints already than it can read.
    with suppress(BlockingIOError):
        try:
            sender.sendto(b"!", str(path))
        except ConnectionRefusedError:
            # Its worker was killed.
            path.unlink(missing_ok=True)


def is_ours(path: Path) -> bool:
    """Whether a folder in a place for all is this user's: another's could learn when there is work."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
