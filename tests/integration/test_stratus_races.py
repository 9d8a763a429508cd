"""The sample cloud's races on databases that lock rows; SQLite has one writer, so that nothing races there."""

from __future__ import annotations

import pytest

from densefog_core.current import set_current_app
from examples.stratus.tests.test_stratus import (
    ONE_WINS,
    Cloud,
    race,
    test_of_calls_that_attach_one_volume_at_once_one_wins,  # noqa: F401 - collected here, too
    test_of_calls_that_delete_one_volume_at_once_one_wins,  # noqa: F401 - collected here, too
)


@pytest.fixture(params=["mariadb_url", "postgresql_url"])
def cloud(request, tmp_path, monkeypatch):
    """A cloud on a server of each kind."""
    monkeypatch.setenv("DB_URL", request.getfixturevalue(request.param))
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.app.shutdown()
    set_current_app(None)


def test_no_instance_is_deleted_under_a_volume_that_is_attached_at_the_same_time(cloud):
    for _ in range(20):
        volume, instance = cloud.volume(), cloud.instance()
        attach = {"action": "AttachVolume", "volumeId": volume, "instanceId": instance}
        delete = {"action": "DeleteInstances", "instanceIds": [instance]}
        refusal = race(cloud, attach, delete)[1]
        cloud.app.run_jobs()
        assert (refusal, cloud.status(volume), cloud.status(instance)) in ONE_WINS
