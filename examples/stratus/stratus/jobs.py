"""What takes time.

A job may be interrupted at any line and run again from the first one, so three rules hold for each job here:

- it works only on resources that are still in its own ``-ing`` status: what an earlier try got done is not done again;
- each step can be repeated, even when nobody knows whether it was carried out;
- no transaction is open while the provider is asked, which can take minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from densefog_core import job
from densefog_core.jobs import Job
from densefog_plugins.models import reconcile, transaction
from densefog_plugins.models.projects import release_quota
from stratus.models import Instance, Volume
from stratus.provider import provider

Model = type[Volume] | type[Instance]
Params = dict[str, Any]


def waiting(model: Model, params: Params, status: str) -> list[Any]:
    """Return the job's resources that still are in ``status``."""
    with transaction():
        return [one for one in model.get_many(params["resource_ids"], lock=True) if one.status == status]


def settle(model: Model, params: Params, before: str, after: str) -> list[Any]:
    """Move the job's resources that still are in status ``before`` to the one that ends the job; return these."""
    with transaction():
        resources = waiting(model, params, before)
        for resource in resources:
            resource.transition(after)
    return resources


def finish(model: Model, params: Params, before: str, after: str, **values: object) -> None:
    """Do the same with each as soon as the provider is done with it; the job's timeout ends this when it never is."""
    kind = model.__tablename__

    def ask(resources: Sequence[Any]) -> dict[str, str | None]:
        return {one.id: after if provider().is_ready(kind, one.id) else before for one in resources}

    def settled(resource: Any, state: str) -> None:  # noqa: ANN401
        for name, value in values.items():
            setattr(resource, name, value)

    reconcile(model, params["resource_ids"], ask, only=[before], settled=settled, interval=0.1)


def policy(model: Model, status: str) -> dict[str, Any]:
    """Return how a job is tried: 5 times, ever later; after the last failure its resources are in error, not busy."""

    def give_up(ended: Job) -> None:
        settle(model, ended.params, status, "error")

    return {"try_max": 5, "try_period": 2, "timeout": 300, "on_last_failure": give_up}


@job(**policy(Volume, "creating"))
def create_volumes(params: Params) -> dict[str, Any]:
    """Build volumes."""
    for volume in waiting(Volume, params, "creating"):
        provider().create("volume", volume.id, size=volume.size)
    finish(Volume, params, "creating", "available")
    return {"volumeIds": params["resource_ids"]}


@job(**policy(Volume, "deleting"))
def delete_volumes(params: Params) -> None:
    """Remove volumes."""
    for volume in waiting(Volume, params, "deleting"):
        provider().delete("volume", volume.id)
    with transaction():
        for volume in settle(Volume, params, "deleting", "deleted"):
            release_quota(volume.project_id, volumes=1, gigabytes=volume.size)


@job(**policy(Volume, "attaching"))
def attach_volumes(params: Params) -> None:
    """Plug volumes into the instances that their rows name."""
    for volume in waiting(Volume, params, "attaching"):
        provider().update("volume", volume.id, instance=volume.instance_id)
    finish(Volume, params, "attaching", "attached")


@job(**policy(Volume, "detaching"))
def detach_volumes(params: Params) -> None:
    """Unplug volumes."""
    for volume in waiting(Volume, params, "detaching"):
        provider().update("volume", volume.id, instance=None)
    finish(Volume, params, "detaching", "available", instance_id=None)


@job(**policy(Instance, "creating"))
def create_instances(params: Params) -> dict[str, Any]:
    """Build instances."""
    for instance in waiting(Instance, params, "creating"):
        provider().create("instance", instance.id, cpus=instance.cpus, memory=instance.memory, power="on")
    finish(Instance, params, "creating", "active")
    return {"instanceIds": params["resource_ids"]}


@job(**policy(Instance, "starting"))
def start_instances(params: Params) -> None:
    """Switch instances on."""
    for instance in waiting(Instance, params, "starting"):
        provider().update("instance", instance.id, power="on")
    finish(Instance, params, "starting", "active")


@job(**policy(Instance, "stopping"))
def stop_instances(params: Params) -> None:
    """Switch instances off."""
    for instance in waiting(Instance, params, "stopping"):
        provider().update("instance", instance.id, power="off")
    finish(Instance, params, "stopping", "stopped")


@job(**policy(Instance, "deleting"))
def delete_instances(params: Params) -> None:
    """Remove instances."""
    for instance in waiting(Instance, params, "deleting"):
        provider().delete("instance", instance.id)
    with transaction():
        for instance in settle(Instance, params, "deleting", "deleted"):
            release_quota(instance.project_id, instances=1)
