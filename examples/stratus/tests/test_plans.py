"""Plans of all actions of stratus: each says what the call does, and leaves every table as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select
from stratus import provider as providers

from densefog_core.config import Config
from densefog_core.current import set_current_app
from densefog_core.testing import TestApp
from densefog_plugins.models.database.database import database
from densefog_plugins.models.sessions import close_session


class Cloud:
    """Stratus with resources in each state."""

    def __init__(self, root: Path) -> None:
        config = Config().apply(
            app_root=str(root), log_dir="-", stratus_delay=0, stratus_fail=0, stratus_lose=0, quotas_enabled=True
        )
        self.app = TestApp(config).load()
        self.app.start()
        self.app.store.init()
        self.volume, self.free = self.do("CreateVolumes", size=3, count=2)["volumeIds"]
        self.instance, self.stopped = self.do("CreateInstances", count=2)["instanceIds"]
        self.do("AttachVolume", volumeId=self.volume, instanceId=self.instance)
        self.do("StopInstances", instanceIds=[self.stopped])

    def call(self, action: str, api: str = "public", **params: Any) -> dict[str, Any]:
        return self.app.api(api).post({"action": action, **params})

    def do(self, action: str, **params: Any) -> dict[str, Any]:
        reply = self.call(action, **params)
        assert reply["retCode"] == 0, reply
        self.app.run_jobs()
        return reply["data"]

    def tables(self) -> dict[str, list[Any]]:
        """Return all rows of all tables that the database has."""
        close_session()
        found = MetaData()
        with database(self.app).engine.connect() as connection:
            found.reflect(connection)
            return {one.name: list(connection.execute(select(one))) for one in found.sorted_tables}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    close_session()
    database(cloud.app).close()
    set_current_app(None)
    providers.provider.cache_clear() if hasattr(providers.provider, "cache_clear") else None


#: Each action with its params, and what its plan has beside the effect.
PLANS: dict[str, Any] = {
    "CreateVolumes": lambda c: ({"size": 3, "count": 2}, {"create": {"volume": 2}, "jobs": ["CreateVolumes"]}),
    "CreateInstances": lambda c: ({"count": 3}, {"create": {"instance": 3}, "jobs": ["CreateInstances"]}),
    "DeleteVolumes": lambda c: (
        {"volumeIds": [c.free]}, {"destroy": {"volume": [c.free]}, "jobs": ["DeleteVolumes"]},
    ),
    "DeleteInstances": lambda c: (
        {"instanceIds": [c.stopped]}, {"destroy": {"instance": [c.stopped]}, "jobs": ["DeleteInstances"]},
    ),
    "AttachVolume": lambda c: (
        {"volumeId": c.free, "instanceId": c.instance}, {"change": {"volume": [c.free]}, "jobs": ["AttachVolumes"]},
    ),
    "DetachVolume": lambda c: (
        {"volumeId": c.volume}, {"change": {"volume": [c.volume]}, "jobs": ["DetachVolumes"]},
    ),
    "StartInstances": lambda c: (
        {"instanceIds": [c.stopped]}, {"change": {"instance": [c.stopped]}, "jobs": ["StartInstances"]},
    ),
    "StopInstances": lambda c: (
        {"instanceIds": [c.instance]}, {"change": {"instance": [c.instance]}, "jobs": ["StopInstances"]},
    ),
    "SetQuota": lambda c: ({"projectId": "2222222222222222222222", "resource": "volumes", "quota": 9}, {}),
}  # fmt: skip
#: Operators' actions whose own ``dryRun`` counts jobs.
COUNTS = ("CancelJobs", "RetryJobs", "RunJobsNow")
EMPTY: dict[str, Any] = {"create": {}, "change": {}, "destroy": {}, "jobs": [], "other": {}}


def actions(cloud: Cloud) -> list[tuple[str, str]]:
    return [(api, name) for api in ("public", "manage") for name in sorted(cloud.app.api(api).specs)]


def test_a_plan_leaves_every_table_as_it_was(cloud: Cloud) -> None:
    """Of every action that there is; and it is the plan of what the call would do."""
    for api, name in actions(cloud):
        spec = cloud.app.api(api).specs[name]
        if not spec.plannable or name in COUNTS:
            continue
        params, wanted = PLANS[name](cloud) if name in PLANS else ({}, {})
        before = cloud.tables()
        reply = cloud.call(name, api, dryRun=True, **params)
        assert cloud.tables() == before, name
        if spec.effect == "read" and reply["retCode"] == 4110:
            # What it needs is not what this test is about.
            continue
        assert reply["retCode"] == 0, (name, reply)
        plan = reply["data"]["plan"]
        assert {key: plan[key] for key in EMPTY} == {**EMPTY, **wanted}, name
        assert plan["effect"] == spec.effect


def test_a_plan_has_the_quota_before_the_call(cloud: Cloud) -> None:
    """With what the call takes of it."""
    quota = cloud.call("CreateVolumes", size=3, count=2, dryRun=True)["data"]["plan"]["quota"]
    assert quota["volumes"] == {"used": 2, "want": 2, "limit": -1}
    assert quota["gigabytes"] == {"used": 6, "want": 6, "limit": -1}


def test_a_plan_beyond_the_quota_is_refused(cloud: Cloud) -> None:
    """As the call is."""
    cloud.call("SetQuota", "manage", projectId="2222222222222222222222", resource="instances", quota=2)
    assert cloud.call("CreateInstances", dryRun=True)["retCode"] == 4113
    cloud.call("SetQuota", "manage", projectId="2222222222222222222222", resource="instances", quota=-1)


@pytest.mark.parametrize("name", COUNTS)
def test_counting_jobs_leaves_every_table_as_it_was(cloud: Cloud, name: str) -> None:
    """The table of operations too."""
    before = cloud.tables()
    reply = cloud.call(name, "manage", dryRun=True, filter={})
    assert reply["retCode"] == 0, reply
    assert cloud.tables() == before
