"""What takes time. A job may be interrupted at any line and run again from the first one, so each step can be repeated."""

from densefog_core import job
from densefog_plugins.models import transaction

from stratus.models import Instance, Volume
from stratus.provider import provider


def settle(model, resource_ids, status, **values):
    """Move resources to the status that ends a job."""
    with transaction():
        for resource in model.get_many(resource_ids, lock=True):
            for name, value in values.items():
                setattr(resource, name, value)
            resource.transition(status)


def give_up(model):
    """Return what is done when the last try has failed: the resources are in error, no longer busy."""
    return lambda ended: settle(model, ended.resource_ids, "error")


def wait_until_ready(kind, resource_ids, time_sleep):
    """Ask the provider until it is done with all of them."""
    cloud = provider()
    while not all(cloud.is_ready(kind, resource_id) for resource_id in resource_ids):
        time_sleep(0.1)


VOLUMES = {"try_max": 5, "try_period": 2, "timeout": 300, "on_last_failure": give_up(Volume)}
INSTANCES = {**VOLUMES, "on_last_failure": give_up(Instance)}


@job(**VOLUMES)
def create_volumes(params, time_sleep):
    """Build volumes."""
    ids = params["resource_ids"]
    for volume in Volume.get_many(ids):
        provider().create("volume", volume.id, size=volume.size)
    wait_until_ready("volume", ids, time_sleep)
    settle(Volume, ids, "available")
    return {"volumeIds": ids}


@job(**VOLUMES)
def delete_volumes(params):
    """Remove volumes."""
    for volume_id in params["resource_ids"]:
        provider().delete("volume", volume_id)
    settle(Volume, params["resource_ids"], "deleted")


@job(**VOLUMES)
def attach_volumes(params, time_sleep):
    """Plug volumes into the instances that their rows name."""
    for volume in Volume.get_many(params["resource_ids"]):
        provider().update("volume", volume.id, instance=volume.instance_id)
    wait_until_ready("volume", params["resource_ids"], time_sleep)
    settle(Volume, params["resource_ids"], "attached")


@job(**VOLUMES)
def detach_volumes(params, time_sleep):
    """Unplug volumes."""
    for volume_id in params["resource_ids"]:
        provider().update("volume", volume_id, instance=None)
    wait_until_ready("volume", params["resource_ids"], time_sleep)
    settle(Volume, params["resource_ids"], "available", instance_id=None)


@job(**INSTANCES)
def create_instances(params, time_sleep):
    """Build instances."""
    ids = params["resource_ids"]
    for instance in Instance.get_many(ids):
        provider().create("instance", instance.id, cpus=instance.cpus, memory=instance.memory, power="on")
    wait_until_ready("instance", ids, time_sleep)
    settle(Instance, ids, "active")
    return {"instanceIds": ids}


@job(**INSTANCES)
def start_instances(params, time_sleep):
    """Switch instances on."""
    switch(params["resource_ids"], "on", time_sleep)
    settle(Instance, params["resource_ids"], "active")


@job(**INSTANCES)
def stop_instances(params, time_sleep):
    """Switch instances off."""
    switch(params["resource_ids"], "off", time_sleep)
    settle(Instance, params["resource_ids"], "stopped")


def switch(instance_ids, power, time_sleep):
    """Switch instances on or off and wait for it."""
    for instance_id in instance_ids:
        provider().update("instance", instance_id, power=power)
    wait_until_ready("instance", instance_ids, time_sleep)


@job(**INSTANCES)
def delete_instances(params):
    """Remove instances."""
    for instance_id in params["resource_ids"]:
        provider().delete("instance", instance_id)
    settle(Instance, params["resource_ids"], "deleted")
