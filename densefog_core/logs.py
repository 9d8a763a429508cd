"""The log files, the formats, and the context id in each line."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from io import TextIOWrapper
from json import JSONEncoder
from logging.handlers import WatchedFileHandler
from pathlib import Path

from densefog_core.context import current_scope, get_context_id
from densefog_core.errors import ConfigError
from densefog_core.errors.table import stack
from densefog_core.ownfiles import shared_opener
from densefog_core.printable import in_json, one_line
from densefog_core.redact import redact, redact_text

STDERR = "-"
APPLICATION, ACCESS, SQL = "normal.log", "access.log", "sql.log"

_OURS = "_densefog_handler"
#: Not `jsontext.dumps`: half of a surrogate pair must lose no line.
_to_json = JSONEncoder(ensure_ascii=False).encode
_logger = logging.getLogger("densefog.logs")


class _Context(logging.Filter):
    """Puts the context id into each record, and hides secrets in dicts that are logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = get_context_id()
        if isinstance(record.args, Mapping):
            record.args = redact(record.args)
        elif record.args:
            record.args = tuple(redact(arg) if isinstance(arg, dict | list | tuple) else arg for arg in record.args)
        return True


def _details(record: logging.LogRecord) -> str:
    """Return the traceback of a record, and what its provider said, without secrets; empty when it has none."""
    # Not `record.exc_text`: another handler's formatter may have written it, with the secrets.
    error = record.exc_info[1] if record.exc_info else None
    texts = ["" if error is None else stack(error), record.stack_info or ""]
    return redact_text("\n".join(filter(None, texts)))


class TextFormatter(logging.Formatter):
    """One line of text, and the traceback below it, indented: nobody's text can begin a line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("[%(levelname)s][%(asctime)s][%(context)s][%(name)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        record.message, record.asctime = record.getMessage(), self.formatTime(record, self.datefmt)
        line = one_line(redact_text(self.formatMessage(record)))
        return "\n    ".join([line, *map(one_line, _details(record).splitlines())])


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    converter = staticmethod(time.gmtime)
    default_time_format = TextFormatter.default_time_format
    default_msec_format = TextFormatter.default_msec_format

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "context": getattr(record, "context", "-"),
            "logger": record.name,
            "message": redact_text(record.getMessage()),
        }
        if details := _details(record):
            line["exception"] = details
        return in_json(_to_json(line))


def setup(log_dir: str, server_name: str, *, debug: bool = False, json: bool = False) -> AccessLog:
    """Send logs to ``<log_dir>/<server_name>/``, or to stderr when ``log_dir`` is ``-``.

    Called again, it replaces what it set up before. Files that are moved away from outside are made anew.

    Args:
        log_dir: the folder.
        server_name: the server's name, which is the folder below it.
        debug: log at DEBUG, and SQL statements.
        json: one JSON object a line instead of text.

    Returns:
        Where the lines of calls go.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    folder = None if log_dir == STDERR else _folder(log_dir, server_name)
    formatter = JSONFormatter() if json else TextFormatter()
    root, sql = logging.getLogger(), logging.getLogger("sqlalchemy.engine")
    _replace(root, _handler(folder, APPLICATION, formatter))
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    _replace(sql, _handler(folder, SQL, formatter) if debug and folder else None)
    sql.propagate = not (debug and folder)
    sql.setLevel(logging.INFO if debug else logging.WARNING)
    return AccessLog(None if folder is None else folder / ACCESS, json=json, enabled=True)


def _folder(log_dir: str, server_name: str) -> Path:
    folder = Path(log_dir) / server_name
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name in (APPLICATION, ACCESS):
            open(folder / name, "a", opener=shared_opener).close()
    except OSError as exc:
        raise ConfigError(f"setting log_dir: cannot write to {folder}: {exc.strerror}") from None
    return folder


class _LogFile(WatchedFileHandler):
    """A file that the group may read, also when it is made anew."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=shared_opener)


def _handler(folder: Path | None, name: str, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler() if folder is None else _LogFile(folder / name, delay=True)
    handler.setFormatter(formatter)
    handler.addFilter(_Context())
    return handler


def _replace(logger: logging.Logger, handler: logging.Handler | None) -> None:
    for old in [one for one in logger.handlers if getattr(one, _OURS, False)]:
        logger.removeHandler(old)
        old.close()
    if handler is not None:
        setattr(handler, _OURS, True)
        logger.addHandler(handler)


class AccessLog:
    """One line for each call.

    A logging record costs 15 microseconds, this 2: the line is written with one system call, the time is formatted
    once a second, and once a second the file is looked for, so that rotation from outside works.
    """

    def __init__(self, path: Path | None = None, *, json: bool = False, enabled: bool = False) -> None:
        self._path = path
        self._json = json
        self._enabled = enabled
        self._lock = threading.Lock()
        self._second = -1
        self._stamp = ""
        self._descriptor = -1
        self._inode: tuple[int, int] | None = None

    def write(self, address: str, project: str, action: str, ret_code: int, seconds: float, size: int) -> None:
        """Write one line about the call that runs here; its id and its access key come from there.

        Args:
            address: the client's.
            project: its project, or ``-``.
            action: what was called.
            ret_code: how it was answered.
            seconds: how long it took.
            size: bytes of the reply.
        """
        if not self._enabled:
            return
        try:
            now = int(time.time())
            if now != self._second:
                self._new_second(now)
            self._put(self._line(address, project, action, ret_code, seconds, size))
        except OSError as exc:
            # A full disk must not take requests down with it.
            _logger.error("cannot write the access log: %s", exc)

    def _line(self, address: str, project: str, action: str, ret_code: int, seconds: float, size: int) -> str:
        context, scope = get_context_id(), current_scope()
        key = getattr(scope, "access_key", None) or getattr(scope, "claimed_key", "")
        if self._json:
            line = {
                "time": self._stamp, "context": context, "address": address, "project": project,
                "action": action[:_LONGEST], "retCode": ret_code,
                "milliseconds": round(seconds * 1000, 2), "bytes": size,
            }
            return in_json(_to_json({**line, "accessKey": key[:_LONGEST]} if key else line)) + "\n"
        took = f"{seconds * 1000:.2f}ms"
        words = [address, _plain(project), _plain(action), str(ret_code), took, str(size)]
        words += [_plain(key)] if key else []
        return f"[{self._stamp}][{context}] {' '.join(words)}\n"

    def _put(self, line: str) -> None:
        if self._path is None:
            sys.stderr.write(line)
        else:
            os.write(self._descriptor, line.encode())

    def _new_second(self, second: int) -> None:
        with self._lock:
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
            if self._path is not None:
                self._reopen(self._path)
            self._second = second

    def _reopen(self, path: Path) -> None:
        """Open the file when it is not open, or when somebody moved it away."""
        try:
            found = os.stat(path)
            if (found.st_dev, found.st_ino) == self._inode:
                return
        except FileNotFoundError:
            pass
        opened = shared_opener(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        status = os.fstat(opened)
        self._inode = status.st_dev, status.st_ino
        if self._descriptor < 0:
            self._descriptor = opened
        else:
            # Another thread may be writing: its descriptor must go on being valid, and mean the new file.
            os.dup2(opened, self._descriptor, inheritable=False)
            os.close(opened)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._inode, self._second = -1, None, -1


#: Characters of a name that an access line shows.
_LONGEST = 100


def _plain(text: str) -> str:
    return text if len(text) <= _LONGEST and (text.isalnum() or text == "-") else _escaped(text)


def _escaped(text: str) -> str:
    """Return what a client sent as one word of printable characters: it must not be able to write lines of its own."""
    return one_line(text[:_LONGEST].replace(" ", "_"))
