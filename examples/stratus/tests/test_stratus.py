"""Stratus as it is installed, on a real database and a real provider that can be told to misbehave."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stratus import provider as providers
from stratus.models import Instance, Volume
from stratus.provider import Provider

from densefog_core import enqueue, hookimpl
from densefog_core.actions import Request
from densefog_core.config import Config
from densefog_core.current import set_current_app
from densefog_core.jobs import Outcome
from densefog_core.testing import TestApi, TestApp
from densefog_plugins.models import transaction

MY_PROJECT, OTHER_PROJECT = "my-project", "other-project"


class Projects:
    """Stands for a plugin that authenticates: it believes the header ``X-Project``."""

    @hookimpl(wrapper=True)
    def densefog_call_action(self, request: Request, handler: Callable[[Request], Any]) -> Iterator[None]:
        request.project_id = request.headers.get("X-Project", MY_PROJECT)
        return (yield)


class Cloud:
    """Stratus and what a test does with it."""

    def __init__(self, root: Path) -> None:
        self.config = Config().apply(app_root=str(root), log_dir="-", stratus_delay=0, stratus_fail=0, stratus_lose=0)
        self.app = TestApp(self.config).load(plugins=[Projects()])
        self.app.start()
        self.app.store.init()

    @property
    def provider(self) -> Provider:
        return providers.provider()

    def misbehave(self, **how: float) -> None:
        """Set the provider's ``delay``, ``fail`` and ``lose``."""
        self.config.apply(**{f"stratus_{name}": value for name, value in how.items()})

    def api(self, name: str = "public") -> TestApi:
        return self.app.api(name)

    def call(self, action: str, code: int = 0, *, project: str = MY_PROJECT, **params: Any) -> dict[str, Any]:
        """Call an action, check its retCode, and return its data."""
        reply = self.api().post({"action": action, **params}, X_Project=project)
        assert reply["retCode"] == code, reply
        return reply["data"]

    def refused(self, action: str, code: int = 5001, **params: Any) -> dict[str, int]:
        """Call an action that some resources cannot do, or none can; return why each of these cannot."""
        return {one["resourceId"]: one["retCode"] for one in self.call(action, code, **params)["failures"]}

    def do(self, action: str, **params: Any) -> dict[str, Any]:
        """Call an action and run its job."""
        data = self.call(action, **params)
        assert self.run(data["jobId"]) == "finished"
        return data

    def run(self, job_id: str) -> str:
        """Run the job's next try now, whenever it is due, and return the job's status."""
        self.app.store.run_now([job_id])
        self.app.run_jobs()
        return self.app.store.get(job_id).status

    def run_to_the_end(self, job_id: str) -> str:
        """Run the job until it has ended, and return its status."""
        while (status := self.run(job_id)) == "pending":
            pass
        return status

    def volumes(self, **params: Any) -> dict[str, dict[str, Any]]:
        """Return the project's volumes by id."""
        return {one["volumeId"]: one for one in self.call("DescribeVolumes", **params)["volumeSet"]}

    def status(self, resource_id: str) -> str:
        model = Volume if resource_id.startswith(Volume.id_prefix) else Instance
        with transaction():
            return model.get(resource_id).status

    def volume(self) -> str:
        return self.do("CreateVolumes", size=10)["volumeIds"][0]

    def instance(self) -> str:
        return self.do("CreateInstances")["instanceIds"][0]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud of the test's own."""
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.app.shutdown()
    set_current_app(None)


# -- volumes ---------------------------------------------------------------------------------------------------


def test_volumes_are_created_at_once_and_built_by_a_job(cloud):
    data = cloud.call("CreateVolumes", size=10, count=2, name="data")
    assert {one["status"] for one in cloud.volumes().values()} == {"creating"}
    cloud.app.assert_enqueued("CreateVolumes", resource_ids=data["volumeIds"])
    assert cloud.provider.ids("volume") == []

    assert cloud.run(data["jobId"]) == "finished"
    assert cloud.app.store.get(data["jobId"]).result == {"volumeIds": data["volumeIds"]}
    built = [(one["status"], one["size"], one["name"]) for one in cloud.volumes().values()]
    assert built == [("available", 10, "data")] * 2
    assert cloud.provider.ids("volume") == sorted(data["volumeIds"])


WRONG = ({}, {"size": 0}, {"size": "10"}, {"size": 1, "count": 11}, {"size": 1, "name": "n" * 101})


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_types_do_not_allow_is_refused_and_leaves_nothing(cloud, wrong):
    cloud.call("CreateVolumes", 4110, **wrong)
    assert cloud.volumes() == {}
    assert cloud.app.run_jobs() == 0


def test_a_volume_is_attached_detached_and_deleted(cloud):
    volume, instance = cloud.volume(), cloud.instance()
    cloud.do("AttachVolume", volumeId=volume, instanceId=instance)
    assert cloud.volumes()[volume]["status"] == "attached"
    assert cloud.provider.get("volume", volume)["instance"] == instance

    assert cloud.refused("DeleteVolumes", volumeIds=[volume]) == {volume: 4105}
    assert cloud.refused("DeleteInstances", instanceIds=[instance]) == {instance: 4105}

    cloud.do("DetachVolume", volumeId=volume)
    assert cloud.volumes()[volume] | {"created": None} == {
        "volumeId": volume, "name": "", "size": 10, "status": "available", "instanceId": None, "created": None,
    }
    cloud.do("DeleteVolumes", volumeIds=[volume])
    assert cloud.volumes() == {}
    assert cloud.volumes(status=["deleted"])[volume]["status"] == "deleted"
    assert cloud.provider.ids("volume") == []


def test_of_several_volumes_those_that_can_be_deleted_go_on_in_one_job_and_the_others_are_reported(cloud):
    first, second, attached, instance = cloud.volume(), cloud.volume(), cloud.volume(), cloud.instance()
    cloud.do("AttachVolume", volumeId=attached, instanceId=instance)
    data = cloud.call("DeleteVolumes", 5002, volumeIds=[second, attached, "vol-unknown", first])
    assert data["volumeIds"] == [second, first]
    failures = [(one["resourceId"], one["retCode"]) for one in data["failures"]]
    assert failures == [(attached, 4105), ("vol-unknown", 4104)]

    assert cloud.app.store.get(data["jobId"]).resource_ids == [second, first]
    assert cloud.run(data["jobId"]) == "finished"
    assert [cloud.status(one) for one in (first, second, attached)] == ["deleted", "deleted", "attached"]


def test_when_none_can_do_what_is_asked_nothing_is_enqueued(cloud):
    data = cloud.call("DeleteVolumes", 5001, volumeIds=["vol-unknown", "vol-none"])
    assert (data["jobId"], data["volumeIds"], len(data["failures"])) == (None, [], 2)
    assert cloud.app.run_jobs() == 0


def test_projects_do_not_see_or_touch_each_others_volumes(cloud):
    volume, theirs = cloud.volume(), cloud.call("CreateVolumes", project=OTHER_PROJECT, size=1)["volumeIds"][0]
    assert cloud.call("DescribeVolumes", project=OTHER_PROJECT)["total"] == 1
    assert cloud.refused("DeleteVolumes", project=OTHER_PROJECT, volumeIds=[volume]) == {volume: 4103}
    assert cloud.refused("DeleteVolumes", 5002, volumeIds=[volume, theirs]) == {theirs: 4103}
    assert (cloud.status(volume), cloud.status(theirs)) == ("deleting", "creating")


def test_volumes_are_listed_by_pages_search_and_status(cloud):
    first = cloud.call("CreateVolumes", size=1, count=3, name="100%")["volumeIds"]
    cloud.call("CreateVolumes", size=1, count=2, name="1000")
    page = cloud.call("DescribeVolumes", searchWord="0%", limit=2, offset=2)
    assert (page["total"], page["limit"], page["offset"], len(page["volumeSet"])) == (3, 2, 2, 1)
    assert set(cloud.volumes(volumeIds=first[:2], status=["creating"])) == set(first[:2])
    assert cloud.volumes(status=["available"]) == {}


# -- instances -------------------------------------------------------------------------------------------------


def test_an_instance_is_created_stopped_started_and_deleted(cloud):
    instance = cloud.do("CreateInstances", cpus=2, memory=512)["instanceIds"][0]
    assert cloud.status(instance) == "active"
    assert cloud.refused("StartInstances", instanceIds=[instance]) == {instance: 4105}

    cloud.do("StopInstances", instanceIds=[instance])
    assert (cloud.status(instance), cloud.provider.get("instance", instance)["power"]) == ("stopped", "off")

    cloud.do("StartInstances", instanceIds=[instance])
    assert (cloud.status(instance), cloud.provider.get("instance", instance)["power"]) == ("active", "on")

    cloud.do("DeleteInstances", instanceIds=[instance])
    assert cloud.call("DescribeInstances")["instanceSet"] == []
    assert cloud.provider.ids("instance") == []


def test_of_several_instances_those_that_can_be_stopped_or_started_are(cloud):
    active, stopped = cloud.instance(), cloud.instance()
    cloud.do("StopInstances", instanceIds=[stopped])
    assert cloud.refused("StopInstances", 5002, instanceIds=[active, stopped]) == {stopped: 4105}
    assert (cloud.status(active), cloud.status(stopped)) == ("stopping", "stopped")
    assert cloud.refused("StartInstances", 5002, instanceIds=[active, stopped]) == {active: 4105}
    cloud.app.run_jobs()
    assert (cloud.status(active), cloud.status(stopped)) == ("stopped", "active")


def test_instances_are_listed_with_their_volumes_for_those_who_ask(cloud):
    volume, bare, instance = cloud.volume(), cloud.instance(), cloud.instance()
    cloud.call("AttachVolume", volumeId=volume, instanceId=instance)
    assert all("volumes" not in one for one in cloud.call("DescribeInstances")["instanceSet"])
    listed = cloud.call("DescribeInstances", verbose=True)["instanceSet"]
    assert {one["instanceId"]: one["volumes"] for one in listed} == {bare: [], instance: [*cloud.volumes().values()]}


def test_a_busy_instance_takes_no_volume(cloud):
    volume, instance = cloud.volume(), cloud.instance()
    cloud.call("StopInstances", instanceIds=[instance])
    cloud.call("AttachVolume", 4105, volumeId=volume, instanceId=instance)
    assert cloud.status(volume) == "available"


# -- a provider that misbehaves --------------------------------------------------------------------------------


def test_a_try_that_the_provider_fails_is_repeated(cloud):
    data = cloud.call("CreateVolumes", size=10)
    cloud.misbehave(fail=1)
    assert cloud.run(data["jobId"]) == "pending"
    assert "out of order" in cloud.app.store.get(data["jobId"]).error
    assert cloud.status(data["volumeIds"][0]) == "creating"

    cloud.misbehave(fail=0)
    assert cloud.run(data["jobId"]) == "finished"
    assert cloud.status(data["volumeIds"][0]) == "available"


def test_when_the_answer_is_lost_the_next_try_makes_no_second_volume(cloud):
    data = cloud.call("CreateVolumes", size=10)
    cloud.misbehave(lose=1)
    assert cloud.run(data["jobId"]) == "pending"
    built = cloud.provider.get("volume", data["volumeIds"][0])

    cloud.misbehave(lose=0)
    assert cloud.run(data["jobId"]) == "finished"
    assert cloud.provider.ids("volume") == data["volumeIds"]
    assert cloud.provider.get("volume", data["volumeIds"][0]) == built


def test_a_volume_is_available_only_when_the_slow_provider_is_done(cloud):
    cloud.misbehave(delay=0.3)
    data = cloud.call("CreateVolumes", size=10)
    assert cloud.run(data["jobId"]) == "finished"
    assert cloud.provider.is_ready("volume", data["volumeIds"][0])


def test_others_read_and_write_while_the_provider_is_slow(cloud):
    cloud.misbehave(delay=60)
    cloud.call("CreateVolumes", size=10)
    worker = threading.Thread(target=cloud.app.run_jobs)
    worker.start()
    while not cloud.provider.ids("volume"):
        assert worker.is_alive()
    others = threading.Thread(target=cloud.call, args=("CreateInstances",))
    others.start()
    others.join(5)
    stuck = others.is_alive()

    [volume] = cloud.provider.ids("volume")
    cloud.misbehave(delay=0)
    cloud.provider.update("volume", volume, built="at last")
    worker.join()
    assert not stuck
    assert cloud.status(volume) == "available"


def test_a_provider_that_is_never_done_ends_in_error_by_timeout(cloud):
    spec = cloud.app.job_specs["CreateVolumes"]
    cloud.app.job_specs["CreateVolumes"] = dataclasses.replace(spec, timeout=0.2, try_max=1)
    cloud.misbehave(delay=3600)
    data = cloud.call("CreateVolumes", size=10)

    worker = cloud.app.pick(cloud.app.workers, "gevent")(cloud.app)
    assert worker.run_pending() == 1
    ended = cloud.app.store.get(data["jobId"])
    assert (ended.status, ended.error) == ("error", "timed out after 0.2 s")
    assert cloud.status(data["volumeIds"][0]) == "error"


ACTIONS = {
    "CreateVolumes": lambda cloud: {"size": 10},
    "DeleteVolumes": lambda cloud: {"volumeIds": [cloud.volume()]},
    "AttachVolume": lambda cloud: {"volumeId": cloud.volume(), "instanceId": cloud.instance()},
    "DetachVolume": lambda cloud: {"volumeId": attached(cloud)},
    "CreateInstances": lambda cloud: {},
    "StopInstances": lambda cloud: {"instanceIds": [cloud.instance()]},
    "StartInstances": lambda cloud: {"instanceIds": [stopped(cloud)]},
    "DeleteInstances": lambda cloud: {"instanceIds": [cloud.instance()]},
}


def attached(cloud):
    volume = cloud.volume()
    cloud.do("AttachVolume", volumeId=volume, instanceId=cloud.instance())
    return volume


def stopped(cloud):
    instance = cloud.instance()
    cloud.do("StopInstances", instanceIds=[instance])
    return instance


@pytest.mark.parametrize("action", ACTIONS)
def test_when_the_last_try_fails_resources_are_in_error_and_can_be_deleted(cloud, action):
    params = ACTIONS[action](cloud)
    cloud.misbehave(fail=1)
    data = cloud.call(action, **params)
    [resource] = data.get("volumeIds") or data["instanceIds"]
    assert cloud.status(resource).endswith("ing")
    assert cloud.run_to_the_end(data["jobId"]) == "error"
    assert cloud.app.store.get(data["jobId"]).trys == 5
    assert cloud.status(resource) == "error"

    cloud.misbehave(fail=0)
    if "Volume" in action:
        if cloud.volumes()[resource]["instanceId"]:
            assert cloud.refused("DeleteVolumes", volumeIds=[resource]) == {resource: 4105}
            cloud.do("DetachVolume", volumeId=resource)
        cloud.do("DeleteVolumes", volumeIds=[resource])
    else:
        cloud.do("DeleteInstances", instanceIds=[resource])
    assert cloud.status(resource) == "deleted"
    assert resource not in cloud.provider.ids("volume") + cloud.provider.ids("instance")


def test_a_volume_in_error_that_was_never_to_be_attached_cannot_be_detached(cloud):
    cloud.misbehave(fail=1)
    data = cloud.call("CreateVolumes", size=10)
    cloud.run_to_the_end(data["jobId"])
    cloud.call("DetachVolume", 4105, volumeId=data["volumeIds"][0])


# -- interrupted and repeated ----------------------------------------------------------------------------------


def test_a_job_that_runs_again_after_its_work_was_done_changes_nothing(cloud):
    """A worker may die after the rows are settled and before the job is: by then they may be somebody else's."""
    created = cloud.do("CreateVolumes", size=10)
    [volume], instance = created["volumeIds"], cloud.instance()
    attaching = cloud.call("AttachVolume", volumeId=volume, instanceId=instance)
    (held,) = cloud.app.store.claim(1, ["AttachVolumes"])
    for action in ("CreateVolumes", "DeleteVolumes", "DetachVolumes"):
        with transaction():
            again = enqueue(action, {"resource_ids": [volume]})
        assert cloud.run(again) == "finished"
        assert cloud.status(volume) == "attaching"

    cloud.app.store.finish([Outcome(held, "released")])
    assert cloud.run(attaching["jobId"]) == "finished"
    assert cloud.status(volume) == "attached"


def test_rows_and_their_job_are_committed_together_or_not_at_all(cloud):
    with pytest.raises(ZeroDivisionError), transaction():
        cloud.api().call("CreateVolumes", size=10)
        1 / 0  # noqa: B018 - whatever goes wrong between enqueue and commit
    assert (cloud.volumes(), cloud.app.run_jobs()) == ({}, 0)


def test_no_volume_is_left_when_the_job_cannot_be_enqueued(cloud):
    del cloud.app.job_specs["CreateVolumes"]
    cloud.call("CreateVolumes", 5000, size=10)
    assert cloud.volumes() == {}


# -- two calls at once -----------------------------------------------------------------------------------------


def race(cloud: Cloud, *calls: dict[str, Any]) -> list[int]:
    """Make calls at the same time; return their retCodes, sorted."""
    start, codes = threading.Barrier(len(calls)), []

    def make(body: dict[str, Any]) -> None:
        start.wait()
        codes.append(cloud.api().post(body)["retCode"])

    threads = [threading.Thread(target=make, args=(body,)) for body in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(codes)


#: What may become of a volume that is attached to an instance while that is deleted: the retCode of the one that comes
#: too late, and the statuses.
ONE_WINS = ((5001, "attached", "active"), (4105, "available", "deleted"))


def test_of_calls_that_delete_one_volume_at_once_one_wins(cloud):
    volume = cloud.volume()
    assert race(cloud, *[{"action": "DeleteVolumes", "volumeIds": [volume]}] * 4) == [0, 5001, 5001, 5001]
    assert cloud.app.run_jobs() == 1


def test_of_calls_that_attach_one_volume_at_once_one_wins(cloud):
    volume, instances = cloud.volume(), [cloud.instance() for _ in range(3)]
    calls = [{"action": "AttachVolume", "volumeId": volume, "instanceId": instance} for instance in instances]
    assert race(cloud, *calls) == [0, 4105, 4105]
    cloud.app.run_jobs()
    assert cloud.provider.get("volume", volume)["instance"] == cloud.volumes()[volume]["instanceId"]


def test_no_instance_is_deleted_under_a_volume_that_is_attached_at_the_same_time(cloud):
    for _ in range(5):
        volume, instance = cloud.volume(), cloud.instance()
        attach = {"action": "AttachVolume", "volumeId": volume, "instanceId": instance}
        delete = {"action": "DeleteInstances", "instanceIds": [instance]}
        refusal = race(cloud, attach, delete)[1]
        cloud.app.run_jobs()
        assert (refusal, cloud.status(volume), cloud.status(instance)) in ONE_WINS


# -- operators -------------------------------------------------------------------------------------------------


def test_operators_are_shown_what_no_row_knows(cloud):
    volume = cloud.volume()
    cloud.provider.create("volume", "vol-stray", size=1)
    data = cloud.api("manage").post({"action": "DescribeStrays"})["data"]
    assert data == {"strays": {"volume": ["vol-stray"], "instance": []}}
    assert volume in cloud.provider.ids("volume")
    cloud.call("DescribeStrays", 4000)


def test_what_the_provider_says_is_for_the_log_and_not_for_tenants(cloud, caplog):
    api = cloud.api().route({"AskProvider": lambda: cloud.provider.get("volume", "vol-none")})
    reply = api.post({"action": "AskProvider"})
    assert (reply["retCode"], reply["message"]) == (5001, "Action failed.op")
    assert "there is no volume" not in str(reply)
    assert "there is no volume vol-none" in caplog.text


def test_the_examples_of_the_document_are_calls(cloud: Cloud) -> None:
    """Each of an action's examples is carried out as it stands."""
    specs = cloud.api().specs.values()
    examples = [(spec.name, example) for spec in specs for example in spec.examples]
    assert {name for name, _ in examples} >= {"CreateVolumes", "CreateInstances", "DescribeVolumes"}
    for name, example in examples:
        cloud.call(name, **example)


def test_every_action_declares_what_it_does(cloud: Cloud) -> None:
    """No effect is a guess, and each says what it returns."""
    for api in ("public", "manage"):
        mine = [spec for spec in cloud.api(api).specs.values() if spec.handler.__module__.startswith("stratus")]
        assert [spec.name for spec in mine if not (spec.effect_known and spec.result_schema)] == []
