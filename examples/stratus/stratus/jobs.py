"""What takes time.

A job may be interrupted at any line and run again from the first one, so three rules hold for each job here:

- it works only on resources that are still in its own ``-ing`` status: what an earlier try got done is not done again;
- each step can be repeated, even when nobody knows whether it was carried out;
- no transaction is open while the provider is asked, which can take minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from densefog_core import job
from densefog_core.jobs import Job
from densefog_plugins.models import transaction
from stratus.models import Instance, Volume
from stratus.provider import provider

Model = type[Volume] | type[Instance]
Params = dict[str, Any]
Sleep = Callable[[float], None]


def waiting(model: Model, params: Params, status: str) -> list[Any]:
    """Return the job's resources that still are in ``status``."""
    with transaction():
        return [one for one in model.get_many(params["resource_ids"], lock=True) if one.status == status]


def settle(model: Model, params: Params, before: str, after: str, **values: object) -> None:
    """Move the job's resources that still are in status ``before`` to the one that ends the job."""
    with transaction():
        for resource in waiting(model, params, before):
            for name, value in values.items():
                setattr(resource, name, value)
            resource.transition(after)


def wait_until_ready(kind: str, resources: list[Any], time_sleep: Sleep) -> None:
    """Ask the provider until it is done with all of them; the job's timeout ends this when it never is."""
    while not all(provider().is_ready(kind, one.id) for one in resources):
        time_sleep(0.1)


def policy(model: Model, status: str) -> dict[str, Any]:
    """Return how a job is tried: 5 times, ever later; after the last failure its resources are in error, not busy."""

    def give_up(ended: Job) -> None:
        settle(model, ended.params, status, "error")

    return {"try_max": 5, "try_period": 2, "timeout": 300, "on_last_failure": give_up}


@job(**policy(Volume, "creating"))
def create_volumes(params: Params, time_sleep: Sleep) -> dict[str, Any]:
    """Build volumes."""
    volumes = waiting(Volume, params, "creating")
    for volume in volumes:
        provider().create("volume", volume.id, size=volume.size)
    wait_until_ready("volume", volumes, time_sleep)
    settle(Volume, params, "creating", "available")
    return {"volumeIds": params["resource_ids"]}


@job(**policy(Volume, "deleting"))
def delete_volumes(params: Params) -> None:
    """Remove volumes."""
    for volume in waiting(Volume, params, "deleting"):
        provider().delete("volume", volume.id)
    settle(Volume, params, "deleting", "deleted")


@job(**policy(Volume, "attaching"))
def attach_volumes(params: Params, time_sleep: Sleep) -> None:
    """Plug volumes into the instances that their rows name."""
    volumes = waiting(Volume, params, "attaching")
    for volume in volumes:
        provider().update("volume", volume.id, instance=volume.instance_id)
    wait_until_ready("volume", volumes, time_sleep)
    settle(Volume, params, "attaching", "attached")


@job(**policy(Volume, "detaching"))
def detach_volumes(params: Params, time_sleep: Sleep) -> None:
    """Unplug volumes."""
    volumes = waiting(Volume, params, "detaching")
    for volume in volumes:
        provider().update("volume", volume.id, instance=None)
    wait_until_ready("volume", volumes, time_sleep)
    settle(Volume, params, "detaching", "available", instance_id=None)


@job(**policy(Instance, "creating"))
def create_instances(params: Params, time_sleep: Sleep) -> dict[str, Any]:
    """Build instances."""
    instances = waiting(Instance, params, "creating")
    for instance in instances:
        provider().create("instance", instance.id, cpus=instance.cpus, memory=instance.memory, power="on")
    wait_until_ready("instance", instances, time_sleep)
    settle(Instance, params, "creating", "active")
    return {"instanceIds": params["resource_ids"]}


@job(**policy(Instance, "starting"))
def start_instances(params: Params, time_sleep: Sleep) -> None:
    """Switch instances on."""
    switch(waiting(Instance, params, "starting"), "on", time_sleep)
    settle(Instance, params, "starting", "active")


@job(**policy(Instance, "stopping"))
def stop_instances(params: Params, time_sleep: Sleep) -> None:
    """Switch instances off."""
    switch(waiting(Instance, params, "stopping"), "off", time_sleep)
    settle(Instance, params, "stopping", "stopped")


def switch(instances: list[Any], power: str, time_sleep: Sleep) -> None:
    """Switch instances on or off and wait for it."""
    for instance in instances:
        provider().update("instance", instance.id, power=power)
    wait_until_ready("instance", instances, time_sleep)


@job(**policy(Instance, "deleting"))
def delete_instances(params: Params) -> None:
    """Remove instances."""
    for instance in waiting(Instance, params, "deleting"):
        provider().delete("instance", instance.id)
    settle(Instance, params, "deleting", "deleted")
