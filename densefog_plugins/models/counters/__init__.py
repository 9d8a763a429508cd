"""Plugin ``counters``: counts that all processes share, in the application's database, when somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.counting import Counter


@hookimpl
def densefog_make_counter(app: App) -> Counter | None:
    """Return a counter when the application's jobs are in the database, too."""
    if app.config.store != "models":
        return None
    from densefog_plugins.models.counters.table import SQLCounter

    return SQLCounter(app)


@hookimpl
def densefog_tables() -> Iterable[Any]:
    """Return the table of counts."""
    from densefog_plugins.models.counters.table import Count

    return [Count.__table__]
