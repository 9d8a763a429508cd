"""What tenants can ask for. Each function here is an action; its parameter's type says what is allowed.

An action checks, writes rows in a status that ends with ``ing``, and enqueues a job: in one transaction, so that there
is never a row without its job. Rows that exist already are locked first, instances before volumes, so that of two calls
that race the second one sees what the first one did. The job does what takes time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct
from sqlalchemy import select

from densefog_core import action, enqueue, iaas_error, request
from densefog_core.ids import SYSTEM_PROJECT
from densefog_plugins.models import Ids, ListParams, describe, session, transaction
from densefog_plugins.models.projects import consume_quota
from stratus.models import Instance, Volume

Name = Annotated[str, Meta(max_length=100)]
Count = Annotated[int, Meta(ge=1, le=10)]
Some = Annotated[list[str], Meta(min_length=1, max_length=100)]


def project_id() -> str:
    """Return the caller's project; without a plugin that authenticates there is one for all."""
    return request.project_id or SYSTEM_PROJECT


class CreateVolumes(Struct):
    """How many volumes of what size."""

    size: Annotated[int, Meta(ge=1, le=1000, description="Gigabytes.")]
    count: Count = 1
    name: Name = ""


@action(operation=("volume", "volumeIds"), idempotent=True)
@transaction
def create_volumes(params: CreateVolumes) -> dict[str, Any]:
    """Create volumes."""
    consume_quota(project_id(), volumes=params.count, gigabytes=params.count * params.size)
    volumes = [
        Volume(id=Volume.new_id(), project_id=project_id(), status="creating", name=params.name, size=params.size)
        for _ in range(params.count)
    ]
    return start("CreateVolumes", volumes, "volumeIds")


class VolumeIds(Struct):
    """Which volumes."""

    volume_ids: Some


@action(operation=("volume", "volumeIds"))
@transaction
def delete_volumes(params: VolumeIds) -> dict[str, Any]:
    """Delete volumes that are not attached."""
    volumes = Volume.get_many(params.volume_ids, project_id=project_id(), lock=True)
    for volume in volumes:
        if volume.instance_id:
            raise iaas_error.ResourceActionForbiden(volume.id)
        volume.transition("deleting", from_=("available", "error"))
    return start("DeleteVolumes", volumes, "volumeIds")


class AttachVolume(Struct):
    """Which volume, to which instance."""

    volume_id: str
    instance_id: str


@action(operation=("volume", "volumeIds"))
@transaction
def attach_volume(params: AttachVolume) -> dict[str, Any]:
    """Attach a volume to an instance."""
    instance = Instance.get(params.instance_id, project_id=project_id(), lock=True)
    instance.must_be_available()
    volume = Volume.get(params.volume_id, project_id=project_id(), lock=True)
    volume.transition("attaching", from_=("available",))
    volume.instance_id = instance.id
    return start("AttachVolumes", [volume], "volumeIds")


class DetachVolume(Struct):
    """Which volume."""

    volume_id: str


@action(operation=("volume", "volumeIds"))
@transaction
def detach_volume(params: DetachVolume) -> dict[str, Any]:
    """Detach a volume from its instance, or from one that it could not be attached to."""
    volume = Volume.get(params.volume_id, project_id=project_id(), lock=True)
    if volume.instance_id is None:
        raise iaas_error.ResourceActionForbiden(volume.id)
    volume.transition("detaching", from_=("attached", "error"))
    return start("DetachVolumes", [volume], "volumeIds")


class DescribeVolumes(ListParams):
    """Which page of the volumes."""

    volume_ids: Ids | None = None


@action
def describe_volumes(params: DescribeVolumes) -> dict[str, Any]:
    """List the project's volumes."""
    return describe(Volume, params, "volumeSet", project_id=project_id(), ids=params.volume_ids)


class CreateInstances(Struct):
    """How many instances of what size."""

    cpus: Annotated[int, Meta(ge=1, le=64)] = 1
    memory: Annotated[int, Meta(ge=256, description="Megabytes.")] = 1024
    count: Count = 1
    name: Name = ""


@action(operation=("instance", "instanceIds"), idempotent=True)
@transaction
def create_instances(params: CreateInstances) -> dict[str, Any]:
    """Create instances and start them."""
    consume_quota(project_id(), instances=params.count)
    spec = {"name": params.name, "cpus": params.cpus, "memory": params.memory}
    instances = [
        Instance(id=Instance.new_id(), project_id=project_id(), status="creating", **spec) for _ in range(params.count)
    ]
    return start("CreateInstances", instances, "instanceIds")


class InstanceIds(Struct):
    """Which instances."""

    instance_ids: Some


@action(operation=("instance", "instanceIds"))
@transaction
def start_instances(params: InstanceIds) -> dict[str, Any]:
    """Start instances that are stopped."""
    return change("StartInstances", locked(params), "starting", from_=("stopped",))


@action(operation=("instance", "instanceIds"))
@transaction
def stop_instances(params: InstanceIds) -> dict[str, Any]:
    """Stop instances that are active."""
    return change("StopInstances", locked(params), "stopping", from_=("active",))


@action(operation=("instance", "instanceIds"))
@transaction
def delete_instances(params: InstanceIds) -> dict[str, Any]:
    """Delete instances that have no volumes."""
    instances = locked(params)
    # Only now: AttachVolume locks its instance, too, so no volume can come while the row is ours.
    in_use = session.scalar(select(Volume.instance_id).where(Volume.instance_id.in_(params.instance_ids)).limit(1))
    if in_use is not None:
        raise iaas_error.ResourceActionForbiden(in_use)
    return change("DeleteInstances", instances, "deleting", from_=("active", "stopped", "error"))


class DescribeInstances(ListParams):
    """Which page of the instances."""

    instance_ids: Ids | None = None


@action
def describe_instances(params: DescribeInstances) -> dict[str, Any]:
    """List the project's instances."""
    return describe(Instance, params, "instanceSet", project_id=project_id(), ids=params.instance_ids)


def locked(params: InstanceIds) -> list[Instance]:
    """Return the caller's instances, locked until the transaction ends."""
    return Instance.get_many(params.instance_ids, project_id=project_id(), lock=True)


def change(job: str, instances: list[Instance], status: str, from_: Collection[str]) -> dict[str, Any]:
    """Move locked instances to a status and enqueue the job that does it."""
    for instance in instances:
        instance.transition(status, from_=from_)
    return start(job, instances, "instanceIds")


def start(job: str, resources: Sequence[Volume | Instance], key: str) -> dict[str, Any]:
    """Enqueue the job for resources, in the transaction that writes them."""
    session.add_all(resources)
    ids = [resource.id for resource in resources]
    job_id = enqueue(job, {"resource_ids": ids}, project_id=project_id())
    return {"jobId": job_id, key: ids}
