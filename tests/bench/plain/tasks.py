"""What takes time: each task asks the provider for something, once for each resource, and waits until it is done."""

from __future__ import annotations

from typing import Any

from tests.bench.plain.models import Instance, Volume
from tests.bench.plain.work import ResourceTask, celery, provider

Result = dict[str, Any]


@celery.task(base=ResourceTask, bind=True, model=Volume, busy="creating", done="available")
def create_volumes(self: ResourceTask, ids: list[str]) -> Result:
    """Build volumes."""
    for volume in self.waiting(ids):
        provider().create("volume", volume.id, size=volume.size)
    return self.finish(ids)


@celery.task(base=ResourceTask, bind=True, model=Volume, busy="deleting", done="deleted")
def delete_volumes(self: ResourceTask, ids: list[str]) -> Result:
    """Remove volumes."""
    for volume in self.waiting(ids):
        provider().delete("volume", volume.id)
    return self.finish(ids)


@celery.task(base=ResourceTask, bind=True, model=Volume, busy="attaching", done="attached")
def attach_volumes(self: ResourceTask, ids: list[str]) -> Result:
    """Plug volumes into the instances that their rows name."""
    for volume in self.waiting(ids):
        provider().update("volume", volume.id, instance=volume.instance_id)
    return self.finish(ids)


@celery.task(base=ResourceTask, bind=True, model=Volume, busy="detaching", done="available")
def detach_volumes(self: ResourceTask, ids: list[str]) -> Result:
    """Unplug volumes."""
    for volume in self.waiting(ids):
        provider().update("volume", volume.id, instance=None)
    return self.finish(ids, instance_id=None)


@celery.task(base=ResourceTask, bind=True, model=Instance, busy="creating", done="active")
def create_instances(self: ResourceTask, ids: list[str]) -> Result:
    """Build instances."""
    for instance in self.waiting(ids):
        provider().create("instance", instance.id, cpus=instance.cpus, memory=instance.memory, power="on")
    return self.finish(ids)


@celery.task(base=ResourceTask, bind=True, model=Instance, busy="starting", done="active")
def start_instances(self: ResourceTask, ids: list[str]) -> Result:
    """Switch instances on."""
    for instance in self.waiting(ids):
        provider().update("instance", instance.id, power="on")
    return self.finish(ids)


@celery.task(base=ResourceTask, bind=True, model=Instance, busy="stopping", done="stopped")
def stop_instances(self: ResourceTask, ids: list[str]) -> Result:
    """Switch instances off."""
    for instance in self.waiting(ids):
        provider().update("instance", instance.id, power="off")
    return self.finish(ids)


@celery.task(base=ResourceTask, bind=True, model=Instance, busy="deleting", done="deleted")
def delete_instances(self: ResourceTask, ids: list[str]) -> Result:
    """Remove instances."""
    for instance in self.waiting(ids):
        provider().delete("instance", instance.id)
    return self.finish(ids)
