"""Workers are killed between steps: none is done again once it was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from densefog_plugins.models.flow.steps import JobStep
from densefog_plugins.models.schema import use_tables
from tests.chaos.climbs import STEPS
from tests.databases import EVERY_KIND, new_database
from tests.plugins.worker.processes import Site

pytestmark = pytest.mark.chaos

JOBS = 16


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_no_step_is_redone_after_its_commit(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Killed before, within and after steps; each job ends with all of its values."""
    with new_database(kind, request, tmp_path) as url:
        site = Site(tmp_path, url, "tests.chaos.climbs")
        use_tables(site._app, JobStep)
        site.store.init()
        ids = [site.add("Climb", try_max=1000) for _ in range(JOBS)]
        with site.worker("--processes", "2"):
            site.until(lambda: site.ended(*ids))
        assert {tuple(row.result) for row in site.rows(ids)} == {tuple(range(STEPS))}
        assert sum(row.trys for row in site.rows(ids)) > JOBS, "nobody was killed"
        stored = site.store.steps.read(ids)
        kept = {(job_id, step.name): step.trys for job_id, steps in stored.items() for step in steps}
        assert len(kept) == JOBS * STEPS
        redone = [line for line in site.trace("did") if int(line[3]) > kept[line[1], line[2]]]
        assert redone == []
        site.close()
