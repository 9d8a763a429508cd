"""What operators let wait: jobs of actions, of projects, or all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from densefog_core.actions import request
from densefog_core.current import current_app
from densefog_core.flow.pauses import begin, whats
from densefog_core.jobs import utcnow
from densefog_plugins.manage.filters import Ids, Reason, Word, naive, refusal


class Which(Struct, kw_only=True):
    """Which jobs: those of actions, of a project, or all; one of these."""

    actions: Ids | None = None
    project_id: Word | None = None
    all: bool = False

    def named(self) -> list[str]:
        """Return what is meant, as pauses are called."""
        if [bool(self.actions), self.project_id is not None, self.all].count(True) != 1:
            raise refusal("/actions", "or projectId or all is needed, and one of these")
        projects = [] if self.project_id is None else [self.project_id]
        return whats(dict.fromkeys(self.actions or ()), projects, everything=self.all)

    def told(self) -> dict[str, Any]:
        """Return the same for the reply."""
        return {"actions": self.actions or [], "projectId": self.project_id, "all": self.all}


class PauseJobs(Which, kw_only=True):
    """Which jobs, why, and when the pause ends by itself."""

    reason: Reason
    until: datetime | None = None


class ResumeJobs(Which, kw_only=True):
    """Which jobs, and why."""

    reason: Reason | None = None


def pause_jobs(params: PauseJobs) -> dict[str, Any]:
    """Let jobs wait: workers begin none of them, running ones end as they would, new ones are still taken."""
    app, named, who, until = current_app(), params.named(), request.access_key or "", naive(params.until)
    try:
        pauses = begin(app.store.pauses, app.job_specs, named, who=who, why=params.reason, until=until, now=utcnow())
    except ValueError as exc:
        raise refusal("/actions" if params.actions else "/until", str(exc)) from None
    return {**params.told(), "paused": [pause.what for pause in pauses]}


def resume_jobs(params: ResumeJobs) -> dict[str, Any]:
    """End pauses; what is not paused stays as it is."""
    store = current_app().store
    resumed = store.pauses.resume(params.named())
    if resumed:
        store.on_enqueued()
    return {**params.told(), "resumed": resumed}


def describe_pauses() -> dict[str, Any]:
    """List what is paused: since when, by whom, why, and until when."""
    rows = [pause.row() for pause in current_app().store.pauses.read()]
    return {"total": len(rows), "pauseSet": rows}


READS: dict[str, Callable[..., Any]] = {"DescribePauses": describe_pauses}
CHANGES: dict[str, Callable[..., Any]] = {"PauseJobs": pause_jobs, "ResumeJobs": resume_jobs}
