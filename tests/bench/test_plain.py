"""Stratus and its twin in plain Flask and Celery are told the same, and answer the same: so they may be compared."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.bench.both")

from tests.bench.both import OPERATIONS, THEIRS, Both  # noqa: E402 - rewritten when it is imported
from tests.bench.clouds import Plain, Stratus  # noqa: E402


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stratus, Plain]]:
    """Both clouds, and the worker of the plain one."""
    stratus, plain = Stratus(tmp_path_factory.mktemp("stratus")), Plain(tmp_path_factory.mktemp("plain"))
    with plain.working():
        yield stratus, plain
    stratus.close()


_numbers = itertools.count()


@pytest.fixture
def both(clouds) -> Iterator[Both]:
    """Both clouds, with tenants of the test's own."""
    with clouds[0].current():
        both = Both(clouds, str(next(_numbers)))
        yield both
        both.misbehave()
        both.work()


def done(both, action, **params):
    """Call an action, and run its job."""
    both.call(action, **params)
    assert both.work() == [("finished", 1)]


def statuses(both, kind="Volume", **params):
    rows = both.call(f"Describe{kind}s", **params)[f"{kind.lower()}Set"]
    return {one[f"{kind.lower()}Id"]: one["status"] for one in rows}


def used(both):
    return dict(both.execute("SELECT resource, used FROM quota WHERE project_id = ?"))


@pytest.fixture
def made(both):
    """Both clouds, where the tenant has ``volume 1`` and ``instance 1``, and the other one has ``volume 2``."""
    both.call("CreateVolumes", size=10, name="data")
    both.call("CreateVolumes", by=THEIRS, size=1)
    both.call("CreateInstances", cpus=2, memory=512, name="web")
    assert both.work() == [("finished", 1)] * 3
    return both


def test_a_volume_and_an_instance_live_their_lives(made):
    described = {"name": "data", "size": 10, "status": "available", "instanceId": None, "created": "then"}
    assert made.call("DescribeVolumes")["volumeSet"] == [{"volumeId": "volume 1", **described}]
    done(made, "AttachVolume", volumeId="volume 1", instanceId="instance 1")
    (instance,) = made.call("DescribeInstances", verbose=True)["instanceSet"]
    assert [(one["volumeId"], one["status"]) for one in instance["volumes"]] == [("volume 1", "attached")]
    done(made, "DetachVolume", volumeId="volume 1")
    done(made, "StopInstances", instanceIds=["instance 1"])
    done(made, "StartInstances", instanceIds=["instance 1"])
    assert statuses(made, "Instance") == {"instance 1": "active"}
    done(made, "DeleteInstances", instanceIds=["instance 1"])
    done(made, "DeleteVolumes", volumeIds=["volume 1"])
    assert statuses(made) == {}
    assert statuses(made, volumeIds=["volume 1"]) == {"volume 1": "deleted"}
    assert used(made) == {"volumes": 0, "gigabytes": 0, "instances": 0}


REFUSED = (
    ("{", 4110),
    ("[]", 4110),
    ("{}", 4110),
    ('{"action": 1}', 4110),
    ('{"action": "DropVolumes"}', 4000),
    ('{"action": "CreateVolumes"}', 4110),
    ('{"action": "CreateVolumes", "size": "10", "count": 11}', 4110),
    ('{"action": "CreateVolumes", "size": 0, "name": null}', 4110),
    ('{"action": "CreateVolumes", "size": 1, "clientToken": ""}', 4110),
    ('{"action": "CreateInstances", "memory": 255, "cpus": 65, "count": true}', 4110),
    ('{"action": "DeleteVolumes", "volumeIds": []}', 4110),
    ('{"action": "DeleteVolumes", "volumeIds": ["a", 1]}', 4110),
    ('{"action": "AttachVolume", "volumeId": "a"}', 4110),
    ('{"action": "DescribeVolumes", "limit": 101, "offset": -1}', 4110),
    ('{"action": "DescribeVolumes", "volumeIds": "a", "reverse": 1}', 4110),
)


def test_what_is_not_allowed_is_refused(both):
    for body, code in REFUSED:
        both.post(body, code)
    assert both.call("DescribeVolumes")["total"] == 0


def test_a_wrong_secret_an_unknown_key_and_a_deleted_one_are_refused(both):
    both.call("DescribeVolumes", 4101, secret="wrong")
    both.call("DescribeVolumes", 4101, by="nobody")
    both.call("CreateVolumes", 4101, secret="wrong", size=0)
    both.execute("UPDATE access_key SET status = 'deleted' WHERE id = ?")
    both.call("DescribeVolumes", 4101)
    assert both.execute(OPERATIONS) == []


def test_what_is_another_tenants_is_refused(made):
    made.call("AttachVolume", 4103, volumeId="volume 2", instanceId="instance 1")
    made.call("AttachVolume", 4103, by=THEIRS, volumeId="volume 2", instanceId="instance 1")
    made.call("DetachVolume", 4103, volumeId="volume 2")
    made.call("DetachVolume", 4104, volumeId="vol-unknown")
    made.call("StopInstances", 5001, by=THEIRS, instanceIds=["instance 1"])
    data = made.call("DeleteVolumes", 5002, volumeIds=["volume 2", "volume 1", "vol-unknown", "volume 1"])
    assert data["volumeIds"] == ["volume 1"]
    assert [(one["resourceId"], one["retCode"]) for one in data["failures"]] == [("volume 2", 4103), ("volume 3", 4104)]
    assert statuses(made, volumeIds=["volume 2"]) == {}
    assert statuses(made, by=THEIRS) == {"volume 2": "available"}


def test_of_several_resources_those_that_can_go_on_in_one_job(made):
    made.call("CreateVolumes", size=1)
    made.call("DeleteVolumes", 5001, volumeIds=["volume 3"])
    made.call("DeleteVolumes", 5001, volumeIds=["volume 3", "vol-unknown"])
    made.call("AttachVolume", volumeId="volume 1", instanceId="instance 1")
    made.call("DeleteInstances", 5001, instanceIds=["instance 1"])
    made.call("StartInstances", 5001, instanceIds=["instance 1"])
    made.work()
    assert made.call("DeleteVolumes", 5002, volumeIds=["volume 1", "volume 3"])["volumeIds"] == ["volume 3"]
    assert made.work() == [("finished", 1)]
    assert statuses(made, status=["attached"]) == {"volume 1": "attached"}
    assert statuses(made, status=["deleted"]) == {"volume 3": "deleted"}


def test_what_is_busy_or_in_another_state_is_refused(made):
    made.call("DetachVolume", 4105, volumeId="volume 1")
    made.call("StopInstances", instanceIds=["instance 1"])
    made.call("StopInstances", 5001, instanceIds=["instance 1"])
    for status in ("stopping", "deleted", "error"):
        made.execute("UPDATE instance SET status = ? WHERE project_id = ?", status)
        made.call("AttachVolume", 4105, volumeId="volume 1", instanceId="instance 1")


def test_quotas_are_taken_kept_and_given_back(made):
    made.execute("UPDATE quota SET quota = 25 WHERE resource = 'gigabytes' AND project_id = ?")
    assert made.call("CreateVolumes", 4113, size=16)["want"] == 16
    made.call("CreateVolumes", 4113, size=8, count=2)
    assert used(made) == {"volumes": 1, "gigabytes": 10, "instances": 1}
    made.call("CreateVolumes", size=15)
    made.call("DeleteVolumes", volumeIds=["volume 1"])
    made.work()
    assert used(made) == {"volumes": 1, "gigabytes": 15, "instances": 1}


def test_a_client_token_creates_once(both):
    first = both.call("CreateVolumes", size=1, count=2, clientToken="t-1")
    assert both.call("CreateVolumes", size=1, count=2, clientToken="t-1") == first
    both.call("CreateVolumes", 4100, size=2, count=2, clientToken="t-1")
    assert both.call("CreateVolumes", by=THEIRS, size=1, count=2, clientToken="t-1") != first
    assert both.call("CreateInstances", clientToken="t-1")["instanceIds"] == ["instance 1"]
    both.call("CreateVolumes", 4110, size=0, clientToken="t-2")
    both.call("CreateVolumes", size=1, clientToken="t-2")
    assert used(both) == {"volumes": 3, "gigabytes": 3, "instances": 1}


def test_lists_have_pages_filters_and_an_order(both):
    names = {"volume 1": "100%", "volume 2": "100%", "volume 3": "1000", "volume 4": "Web"}
    for day, (volume, name) in enumerate(names.items(), 1):
        assert both.call("CreateVolumes", size=1, name=name)["volumeIds"] == [volume]
        at = f"2026-01-{day:02} 00:00:00.000000"
        both.execute("UPDATE volume SET created = ? WHERE id = ? AND project_id = ?", at, volume)
    both.execute("UPDATE volume SET status = 'error' WHERE id = ? AND project_id = ?", "volume 1")
    assert list(statuses(both)) == ["volume 4", "volume 3", "volume 2", "volume 1"]
    assert list(statuses(both, reverse=False, limit=2)) == ["volume 1", "volume 2"]
    page = both.call("DescribeVolumes", limit=2, offset=1)
    assert (page["total"], page["limit"], page["offset"], len(page["volumeSet"])) == (4, 2, 1, 2)
    assert list(statuses(both, searchWord="0%")) == ["volume 2", "volume 1"]
    assert list(statuses(both, searchWord="wEB")) == ["volume 4"]
    assert list(statuses(both, status=["error"])) == ["volume 1"]
    assert list(statuses(both, volumeIds=["volume 1", "volume 3"], status=["creating"])) == ["volume 3"]
    assert both.call("DescribeVolumes", by=THEIRS)["total"] == 0


def test_a_job_ends_when_the_provider_is_done(both):
    both.misbehave(delay=0.2)
    both.call("CreateVolumes", size=1)
    began = time.monotonic()
    assert both.work() == [("finished", 1)]
    assert time.monotonic() - began >= 2 * 0.2
    assert statuses(both) == {"volume 1": "available"}


def test_a_try_that_the_provider_fails_is_repeated(both):
    both.call("CreateVolumes", size=1)
    both.misbehave(fail=1, once=True)
    assert both.work() == [("finished", 2)]
    assert statuses(both) == {"volume 1": "available"}


#: Actions, and the statuses of ``volume 1`` and ``instance 1`` when they are called here.
ACTIONS = {
    "DeleteVolumes": ("available", "active"),
    "AttachVolume": ("available", "active"),
    "DetachVolume": ("attached", "active"),
    "StartInstances": ("available", "stopped"),
    "StopInstances": ("available", "active"),
    "DeleteInstances": ("available", "active"),
}
IDS = {"volumeIds": ["volume 1"], "instanceIds": ["instance 1"], "volumeId": "volume 1", "instanceId": "instance 1"}


def put(both, volume, instance, owner=None):
    both.execute("UPDATE volume SET status = ?, instance_id = ? WHERE project_id = ?", volume, owner)
    both.execute("UPDATE instance SET status = ? WHERE project_id = ?", instance)


def test_after_the_last_failure_resources_are_in_error_and_can_be_deleted(both):
    both.misbehave(fail=1)
    both.call("CreateVolumes", size=1)
    both.call("CreateInstances")
    assert both.work() == [("error", 5)] * 2
    assert (statuses(both), statuses(both, "Instance")) == ({"volume 1": "error"}, {"instance 1": "error"})
    for action, (volume, instance) in ACTIONS.items():
        put(both, volume, instance, "instance 1" if volume == "attached" else None)
        both.call(action, **IDS)
        assert both.work() == [("error", 5)]
        assert set(statuses(both, "Volume" if "Volume" in action else "Instance").values()) == {"error"}, action

    both.misbehave()
    put(both, "error", "error", "instance 1")
    both.call("DeleteVolumes", 5001, **IDS)
    both.call("DeleteInstances", 5001, **IDS)
    put(both, "error", "error")
    both.call("DeleteVolumes", **IDS)
    both.call("DeleteInstances", **IDS)
    both.work()
    assert used(both) == {"volumes": 0, "gigabytes": 0, "instances": 0}


def test_every_call_that_writes_is_recorded_also_one_that_is_refused(made):
    made.call("CreateVolumes", size=1, clientToken="t-1")
    made.call("CreateVolumes", size=1, clientToken="t-1")
    made.call("CreateVolumes", 4110, size=0)
    made.call("DeleteVolumes", 5002, volumeIds=["volume 1", "vol-unknown"])
    made.call("AttachVolume", 4104, volumeId="volume 1", instanceId="i-unknown")
    made.call("DescribeVolumes", volumeIds=["volume 1"])
    recorded = [(action, json.loads(ids), code) for action, _, ids, _, code, _ in made.execute(OPERATIONS)]
    assert sorted(recorded) == [
        ("AttachVolume", [], 4104),
        ("CreateInstances", ["instance 1"], 0),
        ("CreateVolumes", [], 4110),
        ("CreateVolumes", ["volume 1"], 0),
        ("CreateVolumes", ["volume 3"], 0),
        ("CreateVolumes", ["volume 3"], 0),
        ("DeleteVolumes", ["volume 1"], 5002),
    ]
