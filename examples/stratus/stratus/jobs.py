"""What takes time. A function here asks the provider for one thing, once for each resource; `moves` makes a job of it.

A job may be interrupted at any line and run again from the first one, so three rules hold:

- it works only on resources that are still in its own ``-ing`` status: what an earlier try got done is not done again;
- what it asks the provider for can be asked for again, even when nobody knows whether it was carried out;
- no transaction is open while the provider is asked, which can take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from densefog_core import job
from densefog_core.jobs import Job
from densefog_plugins.models import reconcile, transaction
from densefog_plugins.models.quotas import release_quota
from stratus.models import Instance, Volume
from stratus.provider import provider

R = TypeVar("R", Volume, Instance)
Params = dict[str, Any]


class moves(Generic[R]):
    """Makes a job that moves resources from one status to another; the function asks the provider for one of them.

    The job is tried 5 times, ever later; after the last failure its resources are in ``error``, not busy for ever. Its
    timeout ends a try when the provider never is done.

    Args:
        model: the class of the resources.
        before: the ``-ing`` status that the action has put them into.
        after: the status of those that the provider is done with; ``deleted`` ones give their quota back.
        **values: what else is true of them then.
    """

    def __init__(self, model: type[R], before: str, after: str, **values: object) -> None:
        self.model: type[R] = model
        self.kind, self.before, self.after, self.values = model.__tablename__, before, after, values

    def __call__(self, step: Callable[[R], object]) -> Callable[[Params], Params]:
        """Make the job."""

        def run(params: Params) -> Params:
            ids = params["resource_ids"]
            for resource in self.waiting(ids):
                step(resource)
            reconcile(self.model, ids, self.ask, only=[self.before], settled=self.settled, interval=0.1)
            return {f"{self.kind}Ids": ids}

        run.__name__, run.__doc__ = step.__name__, step.__doc__
        return job(try_max=5, try_period=2, timeout=300, on_last_failure=self.give_up)(run)

    def waiting(self, ids: Sequence[str]) -> list[R]:
        """Return those of the resources that still wait for this job."""
        with transaction():
            return [one for one in self.model.get_many(ids, lock=True) if one.status == self.before]

    def ask(self, resources: Sequence[R]) -> dict[str, str | None]:
        """Return the status of each resource, as far as the provider is with it."""
        is_done = provider().is_gone if self.after == "deleted" else provider().is_ready
        return {one.id: self.after if is_done(self.kind, one.id) else self.before for one in resources}

    def settled(self, resource: R, status: str) -> None:
        """Write what else is true of a resource when its status is written."""
        for name, value in self.values.items():
            setattr(resource, name, value)
        if status == "deleted":
            release_quota(resource.project_id, **resource.quota)

    def give_up(self, ended: Job) -> None:
        """Say of what still waits for the job that it is broken, in the transaction that ends the job."""
        for resource in self.waiting(ended.resource_ids):
            resource.transition("error")


@moves(Volume, "creating", "available")
def create_volumes(volume: Volume) -> None:
    """Build volumes."""
    provider().create("volume", volume.id, size=volume.size)


@moves(Volume, "deleting", "deleted")
def delete_volumes(volume: Volume) -> None:
    """Remove volumes."""
    provider().delete("volume", volume.id)


@moves(Volume, "attaching", "attached")
def attach_volumes(volume: Volume) -> None:
    """Plug volumes into the instances that their rows name."""
    provider().update("volume", volume.id, instance=volume.instance_id)


@moves(Volume, "detaching", "available", instance_id=None)
def detach_volumes(volume: Volume) -> None:
    """Unplug volumes."""
    provider().update("volume", volume.id, instance=None)


@moves(Instance, "creating", "active")
def create_instances(instance: Instance) -> None:
    """Build instances."""
    provider().create("instance", instance.id, cpus=instance.cpus, memory=instance.memory, power="on")


@moves(Instance, "starting", "active")
def start_instances(instance: Instance) -> None:
    """Switch instances on."""
    provider().update("instance", instance.id, power="on")


@moves(Instance, "stopping", "stopped")
def stop_instances(instance: Instance) -> None:
    """Switch instances off."""
    provider().update("instance", instance.id, power="off")


@moves(Instance, "deleting", "deleted")
def delete_instances(instance: Instance) -> None:
    """Remove instances."""
    provider().delete("instance", instance.id)
