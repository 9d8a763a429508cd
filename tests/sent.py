"""What a database server was sent, as it says itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from tests.databases import Server, connected

#: What makes a server note every statement, and what ends that.
_MYSQL = (
    ["SET GLOBAL log_output = 'TABLE'", "TRUNCATE mysql.general_log", "SET GLOBAL general_log = ON"],
    ["SET GLOBAL general_log = OFF"],
)
_POSTGRESQL = (
    ["ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()"],
    ["ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()"],
)
#: A line of PostgreSQL's log, whose process sent what.
_LINE = re.compile(r"\[(\d+)\] LOG:  (?:statement|execute [^:]+): (.+)")

Sent = Callable[[], Counter[str]]


@contextmanager
def sent_by_others(server: Server) -> Iterator[Sent]:
    """Note what is sent in the block; gives what tells how often which statement has come, also a ping."""
    begin, end = _POSTGRESQL if server.kind == "postgresql" else _MYSQL
    with connected(server.url(server.administration)) as mine:
        sent = _in_postgresqls_log(server, mine) if server.kind == "postgresql" else _in_mysqls_log(mine)
        for statement in begin:
            mine.execute(text(statement))
        try:
            yield sent
        finally:
            for statement in end:
                mine.execute(text(statement))


def _in_mysqls_log(mine: Connection) -> Sent:
    def sent() -> Counter[str]:
        what = "SELECT command_type, CONVERT(argument USING utf8mb4) FROM mysql.general_log"
        rows = mine.execute(text(f"{what} WHERE thread_id != CONNECTION_ID()"))
        return Counter(argument if kind == "Query" else kind for kind, argument in rows)

    return sent


def _in_postgresqls_log(server: Server, mine: Connection) -> Sent:
    log, pid = server.folder / "log", mine.scalar(text("SELECT pg_backend_pid()"))
    begin = log.stat().st_size

    def sent() -> Counter[str]:
        lines = _LINE.findall(log.read_bytes()[begin:].decode())
        return Counter(statement for sender, statement in lines if int(sender) != pid)

    return sent
