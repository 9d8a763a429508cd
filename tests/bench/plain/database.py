"""The session, and columns that tables share."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

session = scoped_session(sessionmaker(expire_on_commit=False))

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def connect(url: str) -> None:
    """Point the session at a database and create the tables."""
    if url.startswith("sqlite"):
        # As SQLAlchemy's manual says, for savepoints; at once for writing, since there are no row locks.
        engine = create_engine(url, connect_args={"isolation_level": None})
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    else:
        # Whoever has waited for a row must see what its last holder wrote elsewhere.
        engine = create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    session.configure(bind=engine)
    Base.metadata.create_all(engine)


def new_id(prefix: str, count: int = 10) -> str:
    """Return a new identifier."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(count))


def utcnow() -> datetime:
    """Return the time as columns hold it: naive UTC, whole seconds."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


class Base(DeclarativeBase):
    """Base of all tables."""


class Timestamps:
    """When a row was created and last changed."""

    created: Mapped[datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
