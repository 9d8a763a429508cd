"""Recurring jobs of a paused action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from densefog_core.flow.pauses import Pause
from densefog_core.jobs import Job, utcnow
from densefog_core.testing import make_app
from densefog_plugins.worker.upkeep import Upkeep


def test_the_slots_of_a_paused_job_do_not_pile_up() -> None:
    """One waits; the slots of others come as always."""
    app = make_app(jobs={"Sweep": lambda: None, "Count": lambda: None})
    app.store.pauses.pause([Pause("action Sweep", "ops", "ceph is down", None, utcnow())])

    def at_once(what: str, work: Callable[[], Any]) -> Any:
        return work()

    upkeep = Upkeep(app, at_once, lambda: None, lambda: [])
    for slot in range(3):
        upkeep._recur([Job(id=f"job-{action}-{slot}", action=action) for action in ("Sweep", "Count")])
    stats = app.store.stats()["jobs"]
    assert {row["action"]: row["count"] for row in stats} == {"Sweep": 1, "Count": 3}
