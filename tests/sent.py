"""What a database server was sent, as it says itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from tests.databases import Server, connected

#: A line of PostgreSQL's log, whose process sent what.
_LINE = re.compile(r"\[(\d+)\] LOG:  (?:statement|execute [^:]+): (.+)")

Sent = Callable[[], Counter[str]]


@contextmanager
def sent_by_others(server: Server) -> Iterator[Sent]:
    """Note what is sent in the block; gives what tells how often which statement has come, also a ping."""
    noted = _postgresql if server.kind == "postgresql" else _mysql
    with connected(server.url(server.administration)) as mine, noted(server, mine) as sent:
        yield sent


@contextmanager
def _mysql(server: Server, mine: Connection) -> Iterator[Sent]:
    def sent() -> Counter[str]:
        what = "SELECT command_type, CONVERT(argument USING utf8mb4) FROM mysql.general_log"
        rows = mine.execute(text(f"{what} WHERE thread_id != CONNECTION_ID()"))
        return Counter(argument if kind == "Query" else kind for kind, argument in rows)

    mine.execute(text("SET GLOBAL log_output = 'TABLE'"))
    mine.execute(text("TRUNCATE mysql.general_log"))
    mine.execute(text("SET GLOBAL general_log = ON"))
    try:
        yield sent
    finally:
        mine.execute(text("SET GLOBAL general_log = OFF"))


@contextmanager
def _postgresql(server: Server, mine: Connection) -> Iterator[Sent]:
    log, pid = server.folder / "log", mine.scalar(text("SELECT pg_backend_pid()"))
    begin = log.stat().st_size

    def sent() -> Counter[str]:
        lines = _LINE.findall(log.read_bytes()[begin:].decode())
        return Counter(statement for sender, statement in lines if int(sender) != pid)

    mine.execute(text("ALTER SYSTEM SET log_statement = 'all'"))
    mine.execute(text("SELECT pg_reload_conf()"))
    try:
        yield sent
    finally:
        mine.execute(text("ALTER SYSTEM RESET log_statement"))
        mine.execute(text("SELECT pg_reload_conf()"))
