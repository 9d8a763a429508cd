"""Long work in SQL: a table for each thing that jobs may use, there only where one of them does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_plugins.models.base import Own


def use(app: App) -> None:
    """Say which of the tables the application's jobs may use, and which their first use creates."""
    from densefog_plugins.models.database.database import database
    from densefog_plugins.models.flow.pauses import pause_table

    database(app).later[pause_table.name] = pause_table
    if any(spec.takes_job for spec in app.job_specs.values()):
        from densefog_plugins.models.flow.steps import JobStep
        from densefog_plugins.models.schema import use_tables

        use_tables(app, JobStep)


def tables() -> Iterable[Any]:
    """Return the tables, used or not."""
    from densefog_plugins.models.flow.pauses import JobPause
    from densefog_plugins.models.flow.steps import JobStep

    models: list[type[Own]] = [JobStep, JobPause]
    return [model.__table__ for model in models]
