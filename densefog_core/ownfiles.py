"""Files that hold tenants' data or secrets: who else on the machine may read them.

.. versionadded:: 1.0
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from densefog_core.config import Config, Entry, entries
from densefog_core.redact import is_secret_key

#: Modes of new files, whatever the umask allows beyond them: for the owner alone, and for the group to read.
PRIVATE, SHARED = 0o600, 0o640


def shared_opener(path: str, flags: int) -> int:
    """Open a file for `open`; one that is new can be read by the owner and the group."""
    return os.open(path, flags, SHARED)


def make_private(path: str | os.PathLike[str]) -> None:
    """Make an empty file that only its owner can read, unless there is one, which is not opened.

    To close any descriptor of a file takes from the process all POSIX locks that it has on it: SQLite's, too, and the
    next process to leave would take the write-ahead log along (https://www.sqlite.org/howtocorrupt.html, section 2.2).

    Raises:
        OSError: it cannot be made there.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))


def readable_secrets(config: Config) -> Iterator[str]:
    """Yield a line for each file of settings that holds a secret and that everybody on the machine can read."""
    held: dict[str, list[str]] = {}
    for entry in entries(config):
        if entry.origin.kind == "file" and _is_secret(entry):
            held.setdefault(entry.origin.where, []).append(entry.name)
    if config.secret_keys_file:
        held.setdefault(config.secret_keys_file, []).append("keys")
    for path, names in held.items():
        if _readable_by_all(path):
            yield f"{path} holds {', '.join(names)}, and everybody on this machine can read it: chmod 600 {path}"


def _is_secret(entry: Entry) -> bool:
    if not entry.value or str(entry.value).startswith("sqlite"):
        return False
    return entry.setting.secret if entry.setting else is_secret_key(entry.name)


def _readable_by_all(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & stat.S_IROTH)
    except OSError:
        return False
