"""The table of pauses, which the first pause creates."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, String, delete, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from densefog_core.flow.pauses import MAX_WHAT, MAX_WHO, MAX_WHY, Pause, Pauses
from densefog_plugins.models.base import Own, Precise, exact
from densefog_plugins.models.database.database import Database
from densefog_plugins.models.schema import create_later, is_there

_logger = logging.getLogger("densefog.jobs")


class JobPause(Own):
    """What waits, and why."""

    __tablename__ = "job_pause"
    __table_args__ = ({"mysql_charset": "utf8mb4"},)

    what: Mapped[str] = mapped_column(exact(MAX_WHAT), primary_key=True)
    who: Mapped[str] = mapped_column(String(MAX_WHO))
    why: Mapped[str] = mapped_column(String(MAX_WHY))
    until: Mapped[datetime | None] = mapped_column(Precise)
    at: Mapped[datetime] = mapped_column(Precise)


pause_table = Own.metadata.tables[JobPause.__tablename__]


class SQLPauses:
    """Keeps pauses in the application's database; see `densefog_core.flow.pauses.PauseStore`.

    Args:
        database: of the application.
        interval: seconds for which claims go by what was read.
    """

    def __init__(self, database: Database, interval: float) -> None:
        self._database = database
        self._interval = interval
        self._known: dict[str, Pause] = {}
        self._read_at = -math.inf

    @property
    def fresh(self) -> bool:
        """Whether claims may go by what was read."""
        return time.monotonic() < self._read_at + self._interval

    def current(self) -> Pauses:
        """See `densefog_core.flow.pauses.PauseStore.current`."""
        if not self.fresh:
            read_at = time.monotonic()
            self._note({pause.what: pause for pause in self.read()})
            self._read_at = read_at
        return Pauses(self._known.values())

    def _note(self, now: dict[str, Pause]) -> None:
        for pause in (pause for what, pause in now.items() if what not in self._known):
            until = "somebody resumes them" if pause.until is None else f"{pause.until:%Y-%m-%dT%H:%M:%SZ}"
            _logger.info("jobs wait until %s, %s, by %s: %s", until, pause.what, pause.who, pause.why)
        for what in self._known.keys() - now.keys():
            _logger.info("jobs wait no more, %s", what)
        self._known = now

    def read(self) -> Sequence[Pause]:
        """See `densefog_core.flow.pauses.PauseStore.read`."""
        if not is_there(self._database, pause_table):
            return []
        query = select(pause_table).where(self._in_force()).order_by(pause_table.c.at, pause_table.c.what)
        try:
            rows = self._database.run(
                lambda connection: connection.execute(query).all(), read_only=True, engine=self._database.job_engine
            )
        except DBAPIError:
            self._database.there.discard(pause_table.name)
            if is_there(self._database, pause_table):
                raise
            return []
        return [Pause(row.what, row.who, row.why, row.until, row.at) for row in rows]

    def pause(self, pauses: Sequence[Pause]) -> None:
        """See `densefog_core.flow.pauses.PauseStore.pause`."""
        create_later(self._database, pause_table)

        def write(connection: Connection) -> None:
            connection.execute(delete(pause_table).where(~self._in_force()))
            for one in pauses:
                new = {"who": one.who, "why": one.why, "until": one.until}
                row = {"what": one.what, "at": one.at, **new}
                connection.execute(self._database.dialect.insert_ignoring(pause_table), row)
                connection.execute(update(pause_table).where(pause_table.c.what == one.what).values(new))

        self._database.run(write)
        self._read_at = -math.inf

    def resume(self, named: Collection[str]) -> list[str]:
        """See `densefog_core.flow.pauses.PauseStore.resume`."""
        if not is_there(self._database, pause_table):
            return []

        def remove(connection: Connection) -> list[str]:
            which = pause_table.c.what.in_(list(named))
            there = select(pause_table.c.what).where(which, self._in_force()).with_for_update()
            ended = connection.scalars(there).all()
            connection.execute(delete(pause_table).where(which))
            return [what for what in named if what in ended]

        ended = self._database.run(remove)
        self._read_at = -math.inf
        return ended

    def _in_force(self) -> ColumnElement[bool]:
        return or_(pause_table.c.until.is_(None), pause_table.c.until > self._database.dialect.now())
