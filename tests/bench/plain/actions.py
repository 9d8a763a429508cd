"""What tenants can ask for; each call runs in one transaction, and its task is sent when that is committed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from celery import Task
from flask import g
from pydantic import Field
from sqlalchemy import select

from tests.bench.plain import errors, tasks
from tests.bench.plain.calls import Params, action
from tests.bench.plain.control import take_quota
from tests.bench.plain.database import new_id, session
from tests.bench.plain.lists import Ids, ListParams, describe
from tests.bench.plain.models import Instance, Resource, Volume
from tests.bench.plain.replies import Reply

Data = dict[str, Any]
Name = Annotated[str, Field(max_length=100)]
Count = Annotated[int, Field(ge=1, le=10)]
Some = Annotated[list[str], Field(min_length=1, max_length=100)]


class CreateVolumes(Params):
    """How many volumes of what size."""

    size: Annotated[int, Field(ge=1, le=1000)]
    count: Count = 1
    name: Name = ""


@action("volume", idempotent=True)
def create_volumes(params: CreateVolumes) -> Data:
    """Create volumes."""
    return create(tasks.create_volumes, Volume, params.count, name=params.name, size=params.size)


class VolumeIds(Params):
    """Which volumes."""

    volume_ids: Some


@action("volume")
def delete_volumes(params: VolumeIds) -> Data | Reply:
    """Delete volumes that are not attached."""
    return change(tasks.delete_volumes, Volume, params.volume_ids, "deleting", ("available", "error"))


class AttachVolume(Params):
    """Which volume, to which instance."""

    volume_id: str
    instance_id: str


@action("volume")
def attach_volume(params: AttachVolume) -> Data:
    """Attach a volume to an instance."""
    instance = Instance.mine(params.instance_id)
    instance.must_be_available()
    volume = Volume.mine(params.volume_id)
    volume.move("attaching", from_=("available",))
    volume.instance_id = instance.id
    return start(tasks.attach_volumes, Volume, [volume.id])


class DetachVolume(Params):
    """Which volume."""

    volume_id: str


@action("volume")
def detach_volume(params: DetachVolume) -> Data:
    """Detach a volume from its instance, or from one that it could not be attached to."""
    volume = Volume.mine(params.volume_id)
    if volume.instance_id is None:
        raise errors.ResourceError(volume.id)
    volume.move("detaching", from_=("attached", "error"))
    return start(tasks.detach_volumes, Volume, [volume.id])


class DescribeVolumes(ListParams):
    """Which page of the volumes."""

    volume_ids: Ids | None = None


@action()
def describe_volumes(params: DescribeVolumes) -> Data:
    """List the project's volumes."""
    return describe(Volume, params, params.volume_ids)


class CreateInstances(Params):
    """How many instances of what size."""

    cpus: Annotated[int, Field(ge=1, le=64)] = 1
    memory: Annotated[int, Field(ge=256)] = 1024
    count: Count = 1
    name: Name = ""


@action("instance", idempotent=True)
def create_instances(params: CreateInstances) -> Data:
    """Create instances and start them."""
    spec = {"name": params.name, "cpus": params.cpus, "memory": params.memory}
    return create(tasks.create_instances, Instance, params.count, **spec)


class InstanceIds(Params):
    """Which instances."""

    instance_ids: Some


@action("instance")
def start_instances(params: InstanceIds) -> Data | Reply:
    """Start instances that are stopped."""
    return change(tasks.start_instances, Instance, params.instance_ids, "starting", ("stopped",))


@action("instance")
def stop_instances(params: InstanceIds) -> Data | Reply:
    """Stop instances that are active."""
    return change(tasks.stop_instances, Instance, params.instance_ids, "stopping", ("active",))


@action("instance")
def delete_instances(params: InstanceIds) -> Data | Reply:
    """Delete instances that have no volumes."""
    return change(tasks.delete_instances, Instance, params.instance_ids, "deleting", ("active", "stopped", "error"))


class DescribeInstances(ListParams):
    """Which page of the instances."""

    instance_ids: Ids | None = None


@action()
def describe_instances(params: DescribeInstances) -> Data:
    """List the project's instances."""
    return describe(Instance, params, params.instance_ids, verbose=detailed)


def detailed(instances: Sequence[Instance]) -> list[Data]:
    """Return instances as tenants see them, each with its volumes."""
    ids = [instance.id for instance in instances]
    found = session.scalars(select(Volume).where(Volume.instance_id.in_(ids)).order_by(Volume.id)).all()
    volumes = [(volume.instance_id, volume.jsonable()) for volume in found]
    return [{**one.jsonable(), "volumes": [row for owner, row in volumes if owner == one.id]} for one in instances]


def create(task: Task, model: type[Resource], count: int, **values: object) -> Data:
    """Write new resources and take them from the caller's quotas."""
    mine = {"project_id": g.project_id, "status": "creating", **values}
    resources = [model(id=new_id(model.prefix, 8), **mine) for _ in range(count)]
    take_quota(**{name: each * count for name, each in resources[0].quota.items()})
    session.add_all(resources)
    return start(task, model, [one.id for one in resources])


def change(task: Task, model: type[Resource], ids: list[str], status: str, from_: Collection[str]) -> Data | Reply:
    """Move the caller's resources to a status, those that can be moved; report the others."""
    wanted, failed = list(dict.fromkeys(ids)), {}
    # In the order of the ids, so that two calls cannot wait for each other.
    for one in sorted(wanted):
        try:
            with session.begin_nested():
                resource = model.mine(one)
                if status == "deleting":
                    resource.must_be_free()
                resource.move(status, from_)
        except errors.ResourceError as error:
            failed[one] = {"resourceId": one, "retCode": error.code, "message": str(error)}
    worked = [one for one in wanted if one not in failed]
    data = start(task, model, worked) if worked else {"jobId": None, f"{model.__tablename__}Ids": []}
    if not failed:
        return data
    data["failures"] = [failed[one] for one in wanted if one in failed]
    if worked:
        return Reply(data, 5002, "Actions partial success")
    raise errors.AllFailed("Action failed." if len(wanted) == 1 else "Actions all failed.", **data)


def start(task: Task, model: type[Resource], ids: list[str]) -> Data:
    """Send the task when the transaction is committed: a worker must find the rows."""
    job_id = new_id("job-")
    g.after_commit.append(lambda: task.apply_async((ids,), task_id=job_id))
    return {"jobId": job_id, f"{model.__tablename__}Ids": ids}
