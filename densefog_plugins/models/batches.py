"""One step for each resource of a call: those that fail are reported with their reason, the others go on in one job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from densefog_core import enqueue
from densefog_core.errors import DBLockTimeoutError
from densefog_core.errors.iaas_error import ActionsPartialSuccessError
from densefog_plugins.models.sessions import savepoint, transaction

Step = Callable[[str], object]


def batch(
    resource_ids: Sequence[str],
    step: Step,
    key: str,
    *,
    job: str | None = None,
    params: Mapping[str, Any] | None = None,
    **options: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Run ``step`` for each id, and enqueue one job for those that worked, in one transaction.

    What a step that fails has written is undone; what the others have written is committed::

        def delete(volume_id: str) -> None:
            volume = Volume.get(volume_id, project_id=request.project_id, lock=True)
            volume.transition("deleting", from_=("available", "error"))

        return batch(params.volume_ids, delete, "volumeIds", job="DeleteVolumes")

    Args:
        resource_ids: the resources; the steps run in the order of the ids, so that two batches cannot deadlock.
        step: takes an id; what it raises is the resource's failure.
        key: where the reply has the ids that worked; the action's ``resource_key``.
        job: what to enqueue; its params get the ids that worked as ``resource_ids``.
        params: more of the job's params.
        **options: what else `enqueue` takes.

    Returns:
        ``{"jobId": ..., key: ids}`` when all worked; without ``jobId`` when there is no job.

    Raises:
        ActionsPartialSuccessError: some failed, or all; the client learns which, and why.
        DBLockTimeoutError: a row lock was not to be had in time; nothing was done.
    """
    wanted = list(dict.fromkeys(resource_ids))
    with transaction():
        failed = {one: error for one in sorted(wanted) if (error := _failure(step, one)) is not None}
        worked = [one for one in wanted if one not in failed]
        job_id = enqueue(job, {**(params or {}), "resource_ids": worked}, **options) if job and worked else None
        if failed:
            failures = [{"exception": failed[one], "resourceId": one} for one in wanted if one in failed]
            raise ActionsPartialSuccessError(failures, worked, job_id)
    return {key: worked} if job_id is None else {"jobId": job_id, key: worked}


def _failure(step: Step, resource_id: str) -> Exception | None:
    try:
        with savepoint():
            step(resource_id)
    except (SQLAlchemyError, DBLockTimeoutError):
        # The database's own failures are the whole batch's: a deadlock has taken the savepoint, too.
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this resource's failure and in the reply
        return exc
    return None
