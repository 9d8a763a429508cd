"""What tenants can ask for. Each function here is an action; its parameter's type says what is allowed.

One that writes checks, puts rows into a status that ends with ``ing``, and enqueues a job: in one transaction, so that
there is never a row without its job. Rows that exist already are locked first, instances before volumes, so that of two
calls that race the second one sees what the first one did. Of several resources those that cannot do what is asked are
reported, and the others go on. The job does what takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, TypedDict

from msgspec import Meta, Struct
from sqlalchemy import select

from densefog_core import action, enqueue, iaas_error, request
from densefog_core.ids import SYSTEM_PROJECT
from densefog_plugins.models import Ids, ListParams, batch, describe, listed, session, transaction
from densefog_plugins.models.quotas import consume_quota
from stratus.models import Instance, Resource, Volume

Name = Annotated[str, Meta(max_length=100)]
Count = Annotated[int, Meta(ge=1, le=10)]
Some = Annotated[list[str], Meta(min_length=1, max_length=100)]
Handler = Callable[..., dict[str, Any]]


def project_id() -> str:
    """Return the caller's project; without a plugin that authenticates there is one for all."""
    return request.project_id or SYSTEM_PROJECT


class VolumesJob(TypedDict):
    """The job that was enqueued, and the volumes that it is about."""

    jobId: str
    volumeIds: list[str]


class InstancesJob(TypedDict):
    """The job that was enqueued, and the instances that it is about."""

    jobId: str
    instanceIds: list[str]


RESULTS = {"volume": VolumesJob, "instance": InstancesJob}


def writes(kind: str, effect: str, **options: Any) -> Callable[[Handler], Handler]:  # noqa: ANN401
    """Make an action of a function that writes: in one transaction, recorded as an operation on resources of a kind."""
    declared = action(effect=effect, operation=(kind, f"{kind}Ids"), returns=RESULTS[kind], **options)
    return lambda handler: declared(transaction(handler))


class CreateVolumes(Struct):
    """How many volumes of what size."""

    size: Annotated[int, Meta(ge=1, le=1000, description="Gigabytes.")]
    count: Count = 1
    name: Name = ""


@writes("volume", "create", idempotent=True, examples=[{"size": 10, "count": 2, "name": "data"}])
def create_volumes(params: CreateVolumes) -> dict[str, Any]:
    """Create volumes."""
    return create("CreateVolumes", Volume, params.count, name=params.name, size=params.size)


class VolumeIds(Struct):
    """Which volumes."""

    volume_ids: Some


@writes("volume", "destroy")
def delete_volumes(params: VolumeIds) -> dict[str, Any]:
    """Delete volumes that are not attached."""
    return change("DeleteVolumes", Volume, params.volume_ids, "deleting", from_=("available", "error"))


class AttachVolume(Struct):
    """Which volume, to which instance."""

    volume_id: str
    instance_id: str


@writes("volume", "change")
def attach_volume(params: AttachVolume) -> dict[str, Any]:
    """Attach a volume to an instance."""
    instance = Instance.get(params.instance_id, project_id=project_id(), lock=True)
    instance.must_be_available()
    volume = Volume.get(params.volume_id, project_id=project_id(), lock=True)
    volume.transition("attaching", from_=("available",))
    volume.instance_id = instance.id
    return start("AttachVolumes", [volume])


class DetachVolume(Struct):
    """Which volume."""

    volume_id: str


@writes("volume", "change")
def detach_volume(params: DetachVolume) -> dict[str, Any]:
    """Detach a volume from its instance, or from one that it could not be attached to."""
    volume = Volume.get(params.volume_id, project_id=project_id(), lock=True)
    if volume.instance_id is None:
        raise iaas_error.ResourceActionForbiden(volume.id)
    volume.transition("detaching", from_=("attached", "error"))
    return start("DetachVolumes", [volume])


class DescribeVolumes(ListParams):
    """Which page of the volumes."""

    volume_ids: Ids | None = None


@action(effect="read", returns=listed(Volume, "volumeSet"), tags=("volumes",), examples=[{"limit": 2}])
def describe_volumes(params: DescribeVolumes) -> dict[str, Any]:
    """List the project's volumes."""
    return describe(Volume, params, "volumeSet", project_id=project_id(), ids=params.volume_ids)


class CreateInstances(Struct):
    """How many instances of what size."""

    cpus: Annotated[int, Meta(ge=1, le=64)] = 1
    memory: Annotated[int, Meta(ge=256, description="Megabytes.")] = 1024
    count: Count = 1
    name: Name = ""


@writes("instance", "create", idempotent=True, examples=[{"cpus": 2, "memory": 2048, "name": "web"}])
def create_instances(params: CreateInstances) -> dict[str, Any]:
    """Create instances and start them."""
    return create("CreateInstances", Instance, params.count, name=params.name, cpus=params.cpus, memory=params.memory)


class InstanceIds(Struct):
    """Which instances."""

    instance_ids: Some


@writes("instance", "change")
def start_instances(params: InstanceIds) -> dict[str, Any]:
    """Start instances that are stopped."""
    return change("StartInstances", Instance, params.instance_ids, "starting", from_=("stopped",))


@writes("instance", "change")
def stop_instances(params: InstanceIds) -> dict[str, Any]:
    """Stop instances that are active."""
    return change("StopInstances", Instance, params.instance_ids, "stopping", from_=("active",))


@writes("instance", "destroy")
def delete_instances(params: InstanceIds) -> dict[str, Any]:
    """Delete instances that have no volumes."""
    return change("DeleteInstances", Instance, params.instance_ids, "deleting", from_=("active", "stopped", "error"))


class DescribeInstances(ListParams):
    """Which page of the instances."""

    instance_ids: Ids | None = None


@action(effect="read", returns=listed(Instance, "instanceSet"), tags=("instances",), examples=[{"limit": 2}])
def describe_instances(params: DescribeInstances) -> dict[str, Any]:
    """List the project's instances."""
    return describe(Instance, params, "instanceSet", project_id=project_id(), ids=params.instance_ids, verbose=detailed)


def detailed(instances: Sequence[Instance]) -> list[dict[str, Any]]:
    """Return instances as tenants see them, each with its volumes."""
    ids = [instance.id for instance in instances]
    volumes = session.scalars(select(Volume).where(Volume.instance_id.in_(ids)).order_by(Volume.id)).all()
    return [{**one.jsonable(), "volumes": [two for two in volumes if two.instance_id == one.id]} for one in instances]


def create(job: str, model: type[Resource], count: int, **values: object) -> dict[str, Any]:
    """Write new resources, take them from the caller's quotas, and enqueue the job that builds them."""
    mine = {"project_id": project_id(), "status": "creating", **values}
    resources = [model(id=model.new_id(), **mine) for _ in range(count)]
    consume_quota(project_id(), **{name: each * count for name, each in resources[0].quota.items()})
    session.add_all(resources)
    return start(job, resources)


def change(
    job: str, model: type[Resource], ids: Sequence[str], status: str, from_: Collection[str]
) -> dict[str, Any]:
    """Move the caller's resources to a status and enqueue one job for those that can be moved; report the others."""

    def move(resource_id: str) -> None:
        resource = model.get(resource_id, project_id=project_id(), lock=True)
        if status == "deleting":
            resource.must_be_free()
        resource.transition(status, from_=from_)

    return batch(ids, move, f"{model.__tablename__}Ids", job=job, project_id=project_id())


def start(job: str, resources: Sequence[Resource]) -> dict[str, Any]:
    """Enqueue the job for resources, in the transaction that writes them."""
    ids = [resource.id for resource in resources]
    job_id = enqueue(job, {"resource_ids": ids}, project_id=project_id())
    return {"jobId": job_id, f"{resources[0].__tablename__}Ids": ids}
