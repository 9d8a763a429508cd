"""The tables of plugins in the database that densefog keeps itself."""

from __future__ import annotations

from densefog_core.app import App
from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore.schema import create


def create_embedded(app: App) -> None:
    """Create what is missing in the embedded database; any other one is changed by ``densefog db init`` only."""
    found = database(app)
    if found.embedded:
        create(found.engine)
