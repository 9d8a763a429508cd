"""Actions that wait in the database, and one that tells how the loop fared: ``densefog-serve api MODULE:ROUTES``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from densefog_core.actions import request
from densefog_plugins.models import session, transaction
from tests.ticks import Ticks

SLEEP = {"mysql": ["SELECT SLEEP({})"], "postgresql": ["SELECT pg_sleep({})"]}
#: Of a lock that the server keeps, whatever its tables are.
LOCK = {
    "mysql": ["SELECT GET_LOCK('densefog', 60)", "DO RELEASE_LOCK('densefog')"],
    "postgresql": ["SELECT pg_advisory_xact_lock(1)"],
}

ticks = Ticks()


@transaction
def run(statements: dict[str, list[str]], *values: object) -> dict[str, Any]:
    for statement in statements[session.get_bind().dialect.name]:
        session.execute(text(statement.format(*values)))
    return {}


def late() -> dict[str, float]:
    """Return the longest times since the last call, see `tests.ticks.Late`."""
    return ticks.take()._asdict()


ticks.start()
ROUTES = {"Sleep": lambda: run(SLEEP, request.params["seconds"]), "Lock": lambda: run(LOCK), "Late": late}
