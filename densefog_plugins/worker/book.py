"""Which leases a worker process holds, written where it can be read when the process is gone.

Whoever dies leaves its book in the folder of the hints. The next worker on the same machine finds it, sees that the
process is gone, and gives the leases back at once instead of waiting for their end. They are fenced: a wrong book can
give back nothing that somebody else has taken meanwhile.

It is memory that is mapped to a file: a write costs no system call, survives SIGKILL, and goes on when a handler
closes all descriptors.
"""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from densefog_core.config import Config
from densefog_core.jobs import Lease
from densefog_plugins.worker.hints import folder, is_ours

SUFFIX = ".leases"
#: Bytes of an entry: the number of the try, a space, the id of at most 32 characters.
_ENTRY = 64
#: Entries for tries whose outcome waits to be written, beside those that run.
_SPARE = 54


class Owner(NamedTuple):
    """A process, told apart from one that gets the same number later or in another container."""

    pid: int
    started: int
    namespace: int

    @classmethod
    def of(cls, pid: int) -> Owner | None:
        """Return a running process; None when there is none, or when it is dead and not yet waited for."""
        try:
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            return None if state in "ZX" else cls(pid, int(fields[18]), os.stat("/proc/self/ns/pid").st_ino)
        except (OSError, IndexError, ValueError):
            return None

    @property
    def is_gone(self) -> bool:
        """Whether it has ended for sure; what another container's processes do cannot be seen."""
        return self.namespace == os.stat("/proc/self/ns/pid").st_ino and Owner.of(self.pid) != self


class Book:
    """The leases of this process.

    Args:
        config: says which database they are of.
        size: how many tries run at once.
    """

    def __init__(self, config: Config, size: int) -> None:
        self._path = folder(config) / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._free = list(range(size + _SPARE, 0, -1))
        self._entries: dict[Lease, int] = {}
        self._map: mmap.mmap | None = None

    def open(self) -> None:
        """Begin it; without a safe place for it, or on a system that has no ``/proc``, nothing is kept."""
        owner = Owner.of(os.getpid())
        if owner is None:
            return
        size = _ENTRY * (len(self._free) + 1)
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            if not is_ours(self._path.parent):
                return
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                # A page without a place on the disk would end the process when it is written to.
                os.posix_fallocate(descriptor, 0, size)
                self._map = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
            self._write(0, " ".join(map(str, owner)))

    def hold(self, lease: Lease) -> None:
        """Enter a lease."""
        if self._map is not None and self._free:
            entry = self._entries[lease] = self._free.pop()
            self._write(entry, f"{lease.trys} {lease.job_id}")

    def drop(self, lease: Lease) -> None:
        """Strike a lease out."""
        entry = self._entries.pop(lease, None)
        if entry is not None:
            self._write(entry, "")
            self._free.append(entry)

    def _write(self, entry: int, text: str) -> None:
        if self._map is not None:
            self._map[entry * _ENTRY : (entry + 1) * _ENTRY] = text.encode().ljust(_ENTRY, b"\0")[:_ENTRY]

    def close(self) -> None:
        """End it; one that still has leases is left for the next worker."""
        if self._map is not None:
            self._map = None
            if not self._entries:
                self._path.unlink(missing_ok=True)


class Left(NamedTuple):
    """The book of a process that is gone.

    Attributes:
        path: of the file, to be removed when the leases were given back.
        pid: the process.
        leases: what it held.
    """

    path: Path
    pid: int
    leases: list[Lease]


def left_behind(config: Config) -> Iterator[Left]:
    """Yield the books of processes of this machine that are gone."""
    place = folder(config)
    with suppress(OSError):
        for name in os.listdir(place) if is_ours(place) else []:
            if name.endswith(SUFFIX) and (found := _read(place / name)) is not None:
                yield found


def _read(path: Path) -> Left | None:
    """Return a book if its process is gone."""
    with suppress(OSError, ValueError, TypeError):
        data = path.read_bytes()
        owner, *entries = (data[at : at + _ENTRY].rstrip(b"\0").decode() for at in range(0, len(data), _ENTRY))
        writer = Owner(*map(int, owner.split()))
        if writer.is_gone:
            pairs = (entry.split(" ", 1) for entry in entries if entry)
            return Left(path, writer.pid, [Lease(job_id, int(trys)) for trys, job_id in pairs])
    return None
