"""The Celery application, and what its tasks have in common."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import Celery, Task
from flask import current_app
from sqlalchemy import select
from stratus.provider import Provider

from tests.bench.plain.control import release_quota
from tests.bench.plain.database import session
from tests.bench.plain.models import Resource

celery = Celery("plain")
# A task whose worker dies is run again by another one.
celery.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)


def provider() -> Provider:
    """Return the provider that the application's settings describe."""
    config = current_app.config
    how = (config["PROVIDER_DELAY"], config["PROVIDER_FAIL"], config["PROVIDER_LOSE"])
    return Provider(Path(config["PROVIDER_ROOT"]), *how)


class ResourceTask(Task):
    """A task that moves resources from one status to another.

    It is tried 5 times, ever later; after the last failure its resources are in ``error``, not busy for ever.

    Attributes:
        model: the class of the resources.
        busy: the status that the action has put them into; what an earlier try got done is not done again.
        done: the status of those that the provider is done with; ``deleted`` ones give their quota back.
    """

    model: type[Resource]
    busy: str
    done: str
    max_retries = 4
    soft_time_limit = 300

    def __call__(self, ids: list[str]) -> Any:
        """Run one try."""
        with celery.flask_app.app_context():
            try:
                return self.run(ids)
            except Exception as error:
                countdown = current_app.config["RETRY_SECONDS"] * (self.request.retries + 1)
                raise self.retry(exc=error, countdown=countdown) from error

    def on_failure(self, exc: Exception, task_id: str, args: Sequence[Any], kwargs: Any, einfo: Any) -> None:
        """Say of what the last try has not got done that it is broken."""
        with celery.flask_app.app_context():
            self._settle(args[0], "error")

    def waiting(self, ids: list[str]) -> list[Any]:
        """Return those of the resources that still wait for this task."""
        with session.begin():
            return self._busy(ids)

    def finish(self, ids: list[str], **values: object) -> dict[str, list[str]]:
        """Move each resource on as soon as the provider is done with it; the time limit ends this when it never is.

        Args:
            ids: the resources.
            **values: what else is true of them then.
        """
        kind = self.model.__tablename__
        is_done = provider().is_gone if self.done == "deleted" else provider().is_ready
        while busy := self.waiting(ids):
            done = [one.id for one in busy if is_done(kind, one.id)]
            self._settle(done, self.done, **values)
            if len(done) < len(busy):
                time.sleep(current_app.config["POLL_SECONDS"])
        return {f"{kind}Ids": ids}

    def _busy(self, ids: list[str], *, lock: bool = False) -> list[Resource]:
        model = self.model
        query = select(model).where(model.id.in_(ids), model.status == self.busy).order_by(model.id)
        query = query.execution_options(populate_existing=True)
        return list(session.scalars(query.with_for_update() if lock else query))

    def _settle(self, ids: list[str], status: str, **values: object) -> None:
        with session.begin():
            for one in self._busy(ids, lock=True):
                for name, value in {"status": status, **values}.items():
                    setattr(one, name, value)
                if status == "deleted":
                    release_quota(one.project_id, **one.quota)
