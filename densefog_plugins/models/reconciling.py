"""A job handler that makes rows say what the provider says, until none of them is busy."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select

from densefog_core.errors.iaas_error import ResourceActionForbiden, WaitObjectTimeout
from densefog_core.jobs import current_job
from densefog_plugins.models.resource import BUSY_SUFFIX, ResourceMixin
from densefog_plugins.models.sessions import savepoint, transaction
from densefog_plugins.models.waiter import INTERVAL, MAX_INTERVAL, TIMEOUT, pauses

M = TypeVar("M", bound=ResourceMixin)

#: Asks the provider: resources to their states by id; a resource that it does not know is left out, or None.
Ask = Callable[[Sequence[M]], Mapping[str, str | None]]
#: Called in the transaction that writes a resource's new state.
Settled = Callable[[M, str], object]
Handler = Callable[[dict[str, Any]], dict[str, Any]]

_logger = logging.getLogger("densefog.reconcile")


def reconciles(model: type[M], **options: Any) -> Callable[[Ask[M]], Handler]:  # noqa: ANN401
    """Make a job handler of a function that asks the provider for the states of resources::

        @job("SyncVolumes")
        @reconciles(Volume)
        def sync_volumes(volumes: Sequence[Volume]) -> dict[str, str | None]:
            return {one["id"]: STATES[one["status"]] for one in provider.list(v.id for v in volumes)}

    The handler takes the job's params, of which ``resource_ids`` says which resources, and runs `reconcile`.

    Args:
        model: the class of the resources.
        **options: what `reconcile` takes.
    """

    def make(ask: Ask[M]) -> Handler:
        @functools.wraps(ask)
        def handler(params: dict[str, Any]) -> dict[str, Any]:
            return reconcile(model, params["resource_ids"], ask, **options)

        # The signature is the handler's, not that of what it wraps.
        del handler.__wrapped__
        handler.__annotations__ = {"params": "dict[str, Any]", "return": "dict[str, Any]"}
        return handler

    return make


def reconcile(
    model: type[M],
    resource_ids: Sequence[str],
    ask: Ask[M],
    *,
    only: Collection[str] | None = None,
    settled: Settled[M] | None = None,
    gone: Mapping[str, str] | None = None,
    interval: float = INTERVAL,
    max_interval: float = MAX_INTERVAL,
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Ask the provider for the states of resources, and write them, until none is busy.

    No transaction is open while the provider is asked. A resource that somebody else takes elsewhere meanwhile is left
    alone: a new state is written only if the status still is what it was when the provider was asked. In a job, the
    number of those that are done is the job's progress.

    Args:
        model: the class of the resources.
        resource_ids: which.
        ask: returns the states of the resources that it is given. One that ends with ``ing`` says: not yet. What it
            raises is logged, and it is asked again.
        only: the statuses that are this job's to end; None is all that end with ``ing``. A job that runs again must not
            end what another one has begun meanwhile.
        settled: called with a resource and its new state, to write what else is known of it now.
        gone: the state of a resource that the provider does not know, by the status it has now; default ``deleted`` for
            one that is ``deleting``, and ``error`` for any other.
        interval: seconds until the second question; each pause is half as long again.
        max_interval: seconds of the longest pause.
        timeout: seconds until it is given up.

    Returns:
        ``{"resourceIds": ids, "states": {id: state}}``, the ids of those that this call has settled.

    Raises:
        WaitObjectTimeout: some still are busy; the next try of the job goes on with them.
    """
    ends = {"deleting": "deleted"} if gone is None else gone
    done: dict[str, str] = {}
    failure: Exception | None = None
    for _ in pauses(interval, max_interval, timeout):
        busy = _busy(model, resource_ids, only)
        if not busy:
            return {"resourceIds": list(done), "states": done}
        try:
            states, failure = ask(busy), None
        except Exception as exc:  # noqa: BLE001 - a provider that does not answer now may answer later
            _logger.warning("cannot ask for %s of %s: %r", Counter(one.status for one in busy), model.__name__, exc)
            states, failure = {}, exc
        if failure is None:
            fresh = _write(model, busy, states, ends, settled)
            done |= fresh
            if fresh and current_job:
                current_job.progress({"done": len(done), "total": len(resource_ids)})
            if len(fresh) == len(busy):
                return {"resourceIds": list(done), "states": done}
    left = ", ".join(f"{one.id} ({one.status})" for one in _busy(model, resource_ids, only))
    if not left:
        return {"resourceIds": list(done), "states": done}
    raise WaitObjectTimeout(f"Still busy after {timeout:g} seconds: {left[:1000]}") from failure


def _busy(model: type[M], resource_ids: Collection[str], only: Collection[str] | None) -> list[M]:
    busy = model.status.endswith(BUSY_SUFFIX) if only is None else model.status.in_(only)
    query = select(model).where(model.id.in_(resource_ids), busy).order_by(model.id)
    with transaction() as session:
        return list(session.scalars(query))


def _write(
    model: type[M], busy: Sequence[M], states: Mapping[str, str | None], ends: Mapping[str, str], settled: Settled[M]
    | None
) -> dict[str, str]:
    """Write the states that are no longer busy; return them."""
    new = {one.id: states.get(one.id) or ends.get(one.status, "error") for one in busy}
    seen = {one.id: one.status for one in busy}
    fresh: dict[str, str] = {}
    with transaction():
        for one in model.get_many([key for key, state in new.items() if not state.endswith(BUSY_SUFFIX)], lock=True):
            try:
                with savepoint():
                    one.transition(new[one.id], from_=(seen[one.id],))
                    if settled is not None:
                        settled(one, new[one.id])
                    fresh[one.id] = new[one.id]
            except ResourceActionForbiden:
                _logger.info("%s is %s by now and is left alone", one.id, one.status)
    return fresh

