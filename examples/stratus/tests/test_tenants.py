"""No action gives one tenant anything of another's: each one that the API describes is called with the other's ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from stratus.models import Instance, Volume

from densefog_core.config import Config
from densefog_core.current import set_current_app
from densefog_core.testing import TestApp
from densefog_plugins.models import Base, session
from densefog_plugins.models.projects import keys
from densefog_plugins.models.quotas import set_quota
from densefog_plugins.models.sessions import close_session

#: Stands in every row of the victim's, and may stand in no reply to the other one.
MARK = "victims-own"


class Tenant:
    """A project with a key."""

    def __init__(self, app: TestApp, project_id: str) -> None:
        self.app, self.project_id = app, project_id
        keys.create_project(project_id)
        key, secret = keys.create_key(project_id)
        self.headers = {"X_Le_Key": key.id, "X_Le_Secret": secret}
        close_session()

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        reply = self.app.api().post({"action": action, **params}, **self.headers)
        close_session()
        return reply

    def do(self, action: str, **params: Any) -> dict[str, Any]:
        """Call an action that must succeed, and run its job."""
        reply = self.call(action, **params)
        assert reply["retCode"] == 0, reply
        self.app.run_jobs()
        return reply["data"]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[TestApp]:
    """Stratus, with access keys."""
    given = {"stratus_delay": 0, "stratus_fail": 0, "stratus_lose": 0}
    config = Config().apply(app_root=str(tmp_path), log_dir="-", projects_enabled=True, **given)
    app = TestApp(config).load()
    app.start()
    yield app
    app.shutdown()
    set_current_app(None)


@pytest.fixture
def victim(app: TestApp) -> Tenant:
    """A tenant who has one of everything."""
    return Tenant(app, f"{MARK}-project")


@pytest.fixture
def intruder(app: TestApp) -> Tenant:
    """A tenant who has nothing."""
    return Tenant(app, "intruder")


@pytest.fixture
def owned(victim: Tenant) -> dict[str, list[str]]:
    """The victim's ids, by the beginning of the parameter that takes them."""
    idle, used = victim.do("CreateVolumes", size=10, count=2, name=MARK)["volumeIds"]
    stopped, running = victim.do("CreateInstances", count=2, name=MARK)["instanceIds"]
    victim.do("AttachVolume", volumeId=used, instanceId=running)
    victim.do("StopInstances", instanceIds=[stopped])
    jobs = victim.call("DescribeJobs")["data"]["jobSet"]
    operations = victim.call("DescribeOperations")["data"]["operationSet"]
    return {
        "volume": [idle, used],
        "instance": [stopped, running],
        "job": [one["jobId"] for one in jobs],
        "operation": [one["operationId"] for one in operations],
        "resource": [idle, used, stopped, running],
        "project": [victim.project_id],
    }


def described(tenant: Tenant) -> dict[str, dict[str, Any]]:
    """Return the parameters' schemas of every action of the API."""
    schemas: dict[str, dict[str, Any]] = {}
    while len(schemas) < (page := tenant.call("DescribeActions", limit=100, offset=len(schemas))["data"])["total"]:
        schemas |= {one["action"]: one["params"] for one in page["actionSet"]}
    return schemas


def bodies(schema: dict[str, Any], owned: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Yield parameters that fit a schema and name what is the victim's: each of it alone, then all at once."""
    properties = schema.get("properties", {})
    needed = {name: sample(properties[name]) for name in schema.get("required", ())}
    everything = dict(needed)
    for name in properties:
        ids = owned.get(name.removesuffix("s").removesuffix("Id"), []) if name.endswith(("Id", "Ids")) else []
        for one in ids:
            yield needed | {name: [one] if name.endswith("s") else one}
        if ids:
            everything[name] = ids if name.endswith("s") else ids[0]
    if "searchWord" in properties:
        yield needed | {"searchWord": MARK}
    if "verbose" in properties:
        yield needed | {"verbose": True}
    yield everything


def sample(schema: dict[str, Any]) -> Any:
    """Return a value that fits a schema."""
    kind = schema.get("type")
    if kind == "array":
        return ["none"] * max(schema.get("minItems", 0), 1)
    return {"integer": schema.get("minimum", 1), "string": "none", "boolean": True}.get(str(kind))


def everything_of(victim: Tenant, owned: dict[str, list[str]]) -> str:
    """Return every row that is the victim's, and what the provider holds for it."""
    rows = []
    for table in Base.metadata.sorted_tables:
        if "project_id" in table.columns:
            query = select(table).where(table.c.project_id == victim.project_id).order_by(table.c.id)
            rows += [tuple(row) for row in session.execute(query)]
    close_session()
    provider = Path(victim.app.config.app_root) / "provider"
    files = {path.stem: path.read_text() for path in provider.rglob("*.json") if path.stem in owned["resource"]}
    assert len(files) == len(owned["resource"])
    return f"{rows} {sorted(files.items())}"


def test_no_action_leaks_or_changes_what_is_another_tenants(
    app: TestApp, victim: Tenant, intruder: Tenant, owned: dict[str, list[str]]
) -> None:
    schemas = described(intruder)
    assert {"DeleteVolumes", "AttachVolume", "DescribeJobs", "DescribeOperations", "DescribeQuotas"} <= set(schemas)
    before, calls = everything_of(victim, owned), 0
    for action, schema in schemas.items():
        for body in bodies(schema, owned):
            reply = intruder.call(action, **body)
            assert MARK not in json.dumps(reply), (action, body)
            if action.startswith("Describe") and action != "DescribeActions":
                assert not any(reply["data"][name] for name in reply["data"] if name.endswith("Set")), (action, body)
            calls += 1
        app.run_jobs()
        assert everything_of(victim, owned) == before, action
        forget(intruder)
    assert calls > 40


@pytest.mark.parametrize(("hidden", "code"), [(False, 4103), (True, 4104)])
def test_anothers_volume_is_one_failure_of_a_batch(
    app: TestApp, victim: Tenant, intruder: Tenant, owned: dict[str, list[str]], hidden: bool, code: int
) -> None:
    app.config.apply(hide_foreign_resources=hidden)
    [mine], theirs = intruder.do("CreateVolumes", size=1)["volumeIds"], owned["volume"][0]
    before = everything_of(victim, owned)
    reply = intruder.call("DeleteVolumes", volumeIds=[theirs, mine])
    [failure] = reply["data"]["failures"]
    assert (reply["retCode"], reply["data"]["volumeIds"]) == (5002, [mine])
    assert (failure["resourceId"], failure["retCode"]) == (theirs, code)
    app.run_jobs()
    assert everything_of(victim, owned) == before


def forget(tenant: Tenant) -> None:
    """Delete what the tenant has made meanwhile, so that the lists are empty again."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in ("project", "access_key")]
    for table in tables:
        if "project_id" in table.columns:
            session.execute(table.delete().where(table.c.project_id == tenant.project_id))
    session.commit()
    close_session()


def test_what_is_taken_with_one_key_is_counted_for_its_project(app: TestApp, victim: Tenant, intruder: Tenant) -> None:
    set_quota(intruder.project_id, "volumes", 2)
    close_session()
    victim.do("CreateVolumes", size=1, count=5)
    volumes = intruder.do("CreateVolumes", size=1, count=2)["volumeIds"]
    assert intruder.call("CreateVolumes", size=1)["retCode"] == 4113
    intruder.do("DeleteVolumes", volumeIds=volumes[:1])
    intruder.do("CreateVolumes", size=1)
    (mine,) = (one for one in intruder.call("DescribeQuotas")["data"]["quotaSet"] if one["resource"] == "volumes")
    assert (mine["quota"], mine["used"]) == (2, 2)


def test_a_client_token_makes_one_volume(app: TestApp, victim: Tenant) -> None:
    first, again = (victim.call("CreateVolumes", size=1, clientToken="t-1") for _ in range(2))
    assert first == again
    assert victim.call("DescribeVolumes")["data"]["total"] == 1


def test_models_are_listed_from_their_index() -> None:
    for model in (Volume, Instance):
        assert f"ix_{model.__tablename__}_list" in {index.name for index in model.__table__.indexes}
