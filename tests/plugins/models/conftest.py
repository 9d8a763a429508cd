"""The little cloud, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from densefog_core.current import set_current_app
from densefog_core.testing import TestApp
from densefog_plugins.models import schema
from tests.databases import EVERY_KIND, new_database
from tests.plugins.models.cloud import cloud, empty


@pytest.fixture(scope="module", params=EVERY_KIND)
def shared_cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestApp]:
    """An application of each database in turn; the plugins and jobs are what the module's ``PARTS`` says."""
    parts = getattr(request.module, "PARTS", {})
    with new_database(request.param, request, tmp_path_factory.mktemp("cloud")) as url:
        with cloud(url, *parts.get("plugins", ()), **{key: parts[key] for key in parts.keys() - {"plugins"}}) as app:
            yield app


@pytest.fixture
def app(shared_cloud: TestApp) -> Iterator[TestApp]:
    """The application, without rows."""
    before = set_current_app(shared_cloud)
    empty(shared_cloud)
    yield shared_cloud
    empty(shared_cloud)
    set_current_app(before)


@pytest.fixture(autouse=True)
def _job_table_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of the schema know the job table only; other tests of this run have made models on `Base`."""
    if request.module.__name__.endswith((".test_schema", ".test_comparing", ".test_foreign_tables")):
        metadata = SimpleNamespace(sorted_tables=[])
        monkeypatch.setattr(schema, "Base", SimpleNamespace(metadata=metadata))
