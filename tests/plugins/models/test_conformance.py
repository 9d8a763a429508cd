"""The store in SQL passes the suite that is there for stores of others; `test_store` has what is its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from densefog_core.app import App
from densefog_core.jobs import JobStore
from densefog_core.testing import StoreConformance
from tests.databases import new_database
from tests.plugins.models.stores import current, sql, sql_app


@pytest.fixture(scope="module")
def on_sqlite(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application whose jobs are kept on SQLite."""
    with new_database("sqlite", request, tmp_path_factory.mktemp("sqlite")) as url, sql_app(url) as app:
        yield app


class TestSQLStore(StoreConformance):
    @pytest.fixture
    def store(self, on_sqlite: App) -> Iterator[JobStore]:
        with current(on_sqlite):
            harness = sql(on_sqlite)
            self._elapse = harness.elapse
            yield harness.store

    def elapse(self, store: JobStore, seconds: float) -> None:
        self._elapse(seconds)
