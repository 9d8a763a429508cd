"""Pauses: in memory, on SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import inspect

from densefog_core.errors import ConfigError
from densefog_core.flow.pauses import ALL, Pause, whats
from densefog_core.jobs import utcnow
from densefog_core.testing import TestApp
from densefog_plugins.models.database.database import database
from densefog_plugins.models.flow.pauses import pause_table
from densefog_plugins.models.schema import check, create
from tests.databases import new_database
from tests.plugins.models.flow.conftest import Made, statements

JOBS = {"Boot": lambda: None, "Sweep": lambda: None}


def pause(app: TestApp, *named: str, **more: object) -> None:
    values = {"who": "cli:ops", "why": "ceph is down", "until": None, "at": utcnow(), **more}
    app.store.pauses.pause([Pause(what, **values) for what in named])  # type: ignore[arg-type]


def enqueue_each(app: TestApp) -> dict[str, str]:
    """Enqueue a job of each action for two projects, of names that only case tells apart."""
    pairs = [(action, project) for action in JOBS for project in ("acme", "ACME")]
    return {f"{action} {project}": app.enqueue(action, project_id=project) for action, project in pairs}


def run(app: TestApp, ids: dict[str, str]) -> set[str]:
    """Run what may begin; return the names of what has ended."""
    app.run_jobs()
    found = {name: app.store.get(job_id) for name, job_id in ids.items()}
    return {name for name, job in found.items() if job is not None and job.status == "finished"}


@pytest.mark.parametrize(
    ("what", "left"),
    [
        (whats(["Boot"]), {"Sweep acme", "Sweep ACME"}),
        (whats([], ["acme"]), {"Boot ACME", "Sweep ACME"}),
        (whats(["Boot"], ["acme"]), {"Sweep ACME"}),
        (whats(["Boot", "Sweep"]), set()),
        ([ALL], set()),
        (whats(["boot", "Boo"], ["Acme", "acme "]), {"Boot acme", "Boot ACME", "Sweep acme", "Sweep ACME"}),
    ],
)
def test_what_is_paused_waits_and_the_rest_runs(made: Made, what: list[str], left: set[str]) -> None:
    """Once it is resumed it runs, at its first try."""
    app = made(jobs=JOBS)
    pause(app, *what)
    ids = enqueue_each(app)
    assert run(app, ids) == left
    assert sorted(app.store.pauses.resume([*what, "action None"])) == sorted(what)
    assert run(app, ids) == set(ids)
    assert {app.store.get(one).trys for one in ids.values()} == {1}  # type: ignore[union-attr]


def test_a_full_claim_goes_on_behind_paused_projects(made: Made) -> None:
    """Claims that begin behind the last job leave them out, too."""
    app = made(jobs=JOBS)
    pause(app, "project acme")
    for number in range(12):
        app.enqueue("Boot", project_id="acme" if number % 3 else "other")
    taken = [job.project_id for _ in range(4) for job in app.store.claim(1, JOBS)]
    assert taken == ["other"] * 4


def test_a_pause_ends_by_itself(made: Made) -> None:
    app = made(jobs=JOBS, poll_interval=0.05)
    pause(app, "action Boot", until=utcnow() + timedelta(hours=1))
    ids = enqueue_each(app)
    assert "Boot acme" not in run(app, ids)
    pause(app, "action Boot", until=utcnow() - timedelta(seconds=1))
    assert app.store.pauses.read() == [] and app.store.pauses.resume(["action Boot"]) == []
    assert run(app, ids) == set(ids)


def test_who_pauses_again_changes_all_but_the_beginning(made: Made) -> None:
    app = made(jobs=JOBS)
    at = utcnow() - timedelta(hours=1)
    until = utcnow() + timedelta(hours=1)
    pause(app, "action Boot", at=at)
    pause(app, "action Boot", "all", who="KEY", why="ceph is öld \U0001f600", until=until)
    why = "ceph is öld \U0001f600"
    first, second = app.store.pauses.read()
    assert first == Pause("action Boot", "KEY", why, until, at)
    assert (second.what, second.why) == ("all", why)


def test_the_first_pause_creates_the_table(made: Made, url: str | None) -> None:
    """Before it, there is none; afterwards it is checked like the others."""
    app = made(jobs=JOBS)
    if url is None:
        assert app.store.pauses.resume(["all"]) == []
        return
    found = database(app)
    assert app.store.pauses.read() == [] and app.store.pauses.resume(["all"]) == []
    assert "job_pause" not in inspect(found.engine).get_table_names()
    pause(app, "all")
    assert inspect(found.engine).has_table("job_pause")
    assert check(found) == [] and create(found) == ["nothing to do: every table and index is there"]
    with found.engine.begin() as connection:
        pause_table.drop(connection)
    assert app.store.pauses.read() == []


def test_an_idle_store_asks_for_no_pauses(made: Made, url: str | None) -> None:
    """It asks whether there is work; only with work it looks, and not again within one poll."""
    if url is None:
        return
    app = made(jobs=JOBS, poll_interval=600)
    app.run_jobs()
    with statements(app) as idle:
        for _ in range(5):
            assert app.store.claim(1, JOBS) == []
    assert len([one for one in idle if one != "BEGIN"]) == 5
    app.enqueue("Boot")
    app.run_jobs()
    with statements(app) as busy:
        app.enqueue("Boot")
        app.run_jobs()
    assert not any("job_pause" in one for one in busy)


def test_another_process_heeds_it_within_one_poll(made: Made, url: str | None) -> None:
    """What it knows is as old as ``poll_interval`` at most."""
    if url is None:
        return
    app, other = made(jobs=JOBS, poll_interval=0.05), made(jobs=JOBS, poll_interval=0.05)
    app.enqueue("Boot")
    app.run_jobs()
    other.store.pauses.current()
    pause(other, "all")
    job_id = app.enqueue("Boot")
    with database(app).engine.connect() as connection:
        assert connection.execute(pause_table.select()).one().who == "cli:ops"
    app.store.pauses._read_at -= 0.05  # type: ignore[attr-defined]
    app.run_jobs()
    assert app.store.get(job_id).status == "pending"  # type: ignore[union-attr]


def test_a_user_who_may_not_create_it_gets_the_statement(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Who may can type it."""
    with new_database("sqlite", request, tmp_path_factory.mktemp("readonly")) as url:
        from densefog_core.testing import make_app
        from densefog_plugins import models

        app = make_app(models, store="models", db_url=url, jobs=JOBS)
        app.store.init()
        with database(app).engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(ConfigError, match=r"no table job_pause, .* cannot be created: .*CREATE TABLE job_pause"):
            pause(app, "all")
        app.shutdown()
