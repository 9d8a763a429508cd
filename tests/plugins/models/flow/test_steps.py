"""Steps of jobs: in memory, on SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import inspect

from densefog_core import Secret
from densefog_core.errors import StepRefused
from densefog_core.jobs import Job, Lease, LeaseLost, Outcome
from densefog_core.testing import TestApp
from densefog_plugins.models import savepoint, transaction
from densefog_plugins.models.database.database import database
from densefog_plugins.models.schema import check
from tests.plugins.models.flow.conftest import Made, statements


class Provider:
    """Counts what it is asked for; fails where it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken: set[str] = set()

    def ask(self, what: str) -> dict[str, Any]:
        self.asked.append(what)
        if what in self.broken:
            raise OSError(f"no {what}")
        return {"id": f"{what}-1", "at": (1, 2)}


@pytest.fixture
def provider() -> Provider:
    return Provider()


def servers(provider: Provider) -> Any:
    def create(params: dict[str, Any], job: Any) -> list[Any]:
        names = params.get("steps", ["port", "server", "disk"])
        return [job.step(name, lambda name=name: provider.ask(name)) for name in names]

    return create


def run(app: TestApp, job_id: str) -> Job:
    """Run due jobs, and those that a failed try has put off."""
    app.run_jobs()
    while app.store.run_now([job_id]):
        app.run_jobs()
    found = app.store.get(job_id)
    assert found is not None
    return found


def names(app: TestApp, job_id: str) -> list[tuple[str, int]]:
    return [(step.name, step.trys) for step in app.store.steps.read([job_id]).get(job_id, ())]


def test_a_later_try_does_not_do_a_step_again(made: Made, provider: Provider) -> None:
    """It gets the value that the first one got: what JSON makes of it."""
    app = made(jobs={"Create": servers(provider)})
    provider.broken = {"disk"}
    job_id = app.enqueue("Create", {}, try_max=2)
    app.run_jobs()
    provider.broken = set()
    job = run(app, job_id)
    assert provider.asked == ["port", "server", "disk", "disk"]
    assert job.result == [{"id": f"{what}-1", "at": [1, 2]} for what in ("port", "server", "disk")]
    assert names(app, job_id) == [("port", 1), ("server", 1), ("disk", 2)]


def test_a_first_try_gets_what_a_later_one_would(made: Made) -> None:
    """A tuple is a list already, and None stays None."""
    app = made(jobs={"Create": lambda job: [job.step("a", lambda: (1, "ö\U0001f600")), job.step("b", lambda: None)]})
    job = run(app, app.enqueue("Create"))
    assert job.result == [[1, "ö\U0001f600"], None]


def test_a_name_used_twice_is_named(made: Made, provider: Provider) -> None:
    """The try fails, and what was done stays done."""
    app = made(jobs={"Create": servers(provider)})
    job = run(app, app.enqueue("Create", {"steps": ["port", "port"]}, try_max=1))
    assert job.status == "error" and "step 'port' of Create" in job.error and "was used before in this try" in job.error
    assert provider.asked == ["port"]


def test_a_step_that_failed_may_be_tried_again_at_once(made: Made) -> None:
    """Its name is used when it is done."""

    def create(job: Any) -> Any:
        with pytest.raises(OSError):
            job.step("port", failing)
        return job.step("port", lambda: "port-1")

    def failing() -> None:
        raise OSError

    app = made(jobs={"Create": create})
    assert run(app, app.enqueue("Create")).result == "port-1"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("a", {1, object()}, "not JSON"), ("a", {"n": float("nan")}, "not JSON"), ("a", "x" * 70_000, "70002 bytes"),
        ("a", {"password": "hunter2"}, "a secret"), ("a", "secret", "a Secret"), ("", 1, "no text"), ("a ", 1, "space"),
        ("x" * 201, 1, "no text"), ("a\n", 1, "space"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(made: Made, name: str, value: Any, why: str) -> None:
    """Nothing of it is stored, and the error says why without the value."""
    given = Secret("hunter2") if value == "secret" else value
    app = made(jobs={"Create": lambda job: job.step(name, lambda: given)})
    job = run(app, app.enqueue("Create", try_max=1))
    assert job.status == "error" and why in job.error and "hunter2" not in job.error
    assert names(app, job.id) == []


def test_names_are_compared_character_by_character(made: Made, provider: Provider) -> None:
    """Case and accents count on MySQL, too."""
    app = made(jobs={"Create": servers(provider)})
    steps = ["disk a", "disk A", "disk ä", "\U0001f600"]
    job = run(app, app.enqueue("Create", {"steps": steps}))
    assert job.status == "finished" and [name for name, _ in names(app, job.id)] == steps


def test_a_try_that_was_overtaken_keeps_nothing(made: Made) -> None:
    """And ends there."""
    app = made(jobs={"Create": lambda job: None})
    job_id = app.enqueue("Create", {})
    [first] = app.store.claim(1, ["Create"])
    app.store.finish([Outcome(first, "released")])
    [second] = app.store.claim(1, ["Create"])
    assert not app.store.steps.keep(first.lease, "port", 1)
    assert app.store.steps.keep(second.lease, "port", 2)
    assert not app.store.steps.keep(Lease("job-none", 1), "port", 1)
    assert names(app, job_id) == [("port", 2)]


def test_a_try_ends_where_its_lease_is_lost(made: Made) -> None:
    """Its outcome is dropped."""
    reached = []

    def create(job: Any) -> None:
        app.store.cancel([job.id])
        job.step("port", lambda: 1)
        reached.append(1)

    app = made(jobs={"Create": create})
    job = run(app, app.enqueue("Create"))
    assert (job.error, reached, names(app, job.id)) == ("cancelled", [], [])


def test_a_retry_forgets_a_step_and_those_after_it(made: Made, provider: Provider) -> None:
    """The ones before stay; a job that has no such step keeps all."""
    app = made(jobs={"Create": servers(provider)})
    job_id = app.enqueue("Create", {})
    app.run_jobs()
    provider.asked.clear()
    assert app.store.retry([job_id], "none") == [job_id]
    assert run(app, job_id).status == "finished" and provider.asked == []
    assert app.store.retry([job_id], "server") == [job_id]
    assert run(app, job_id).status == "finished" and provider.asked == ["server", "disk"]
    assert names(app, job_id) == [("port", 1), ("server", 3), ("disk", 3)]


def test_a_refused_retry_forgets_nothing(made: Made, provider: Provider) -> None:
    """A job that waits or whose secrets are gone keeps its steps."""
    app = made(jobs={"Create": servers(provider)})
    job_id = app.enqueue("Create", {"password": "hunter2"})
    app.run_jobs()
    assert app.store.retry([job_id], "port") == []
    assert len(names(app, job_id)) == 3


def test_steps_go_with_their_job(made: Made, provider: Provider) -> None:
    """Others stay."""
    app = made(jobs={"Create": servers(provider)})
    old, new = app.enqueue("Create", {}), app.enqueue("Create", {}, run_at=None)
    app.run_jobs()
    app.store.retry([new])
    assert app.store.prune(-5) == 1
    assert (names(app, old), len(names(app, new))) == ([], 3)


# -- in SQL ----------------------------------------------------------------------------------------------------


@pytest.fixture
def made_sql(made: Made, url: str | None) -> Made:
    if url is None:
        pytest.skip("the store in memory has no transactions")
    return made


def test_a_step_commits_with_the_transaction(made_sql: Made) -> None:
    """What is rolled back, savepoints included, was not kept."""

    def create(job: Any, params: dict[str, Any]) -> None:
        with transaction():
            job.step("kept", lambda: 1)
            with pytest.raises(OSError), savepoint():
                job.step("undone", lambda: 2)
                raise OSError
        with transaction():
            job.step("rolled back", lambda: 3)
            raise ValueError

    app = made_sql(jobs={"Create": create})
    job_id = app.enqueue("Create", {})
    app.run_jobs()
    assert names(app, job_id) == [("kept", 1)]


def test_a_transaction_with_a_step_cannot_commit_late(made_sql: Made) -> None:
    """What was overtaken before its commit is rolled back, and the try ends."""
    reached = []

    def create(job: Any) -> None:
        with transaction():
            job.step("port", lambda: 1)
            overtake(job.id)
        reached.append(1)

    def overtake(job_id: str) -> None:
        with database(app).engine.connect() as connection:
            connection.exec_driver_sql(f"UPDATE job SET trys = trys + 1 WHERE id = '{job_id}'")
            connection.commit()

    app = made_sql(jobs={"Create": create})
    if database(app).engine.dialect.name == "sqlite":
        pytest.skip("there is one writer")
    job_id = app.enqueue("Create")
    app.run_jobs()
    assert (names(app, job_id), reached) == ([], [])


def test_a_step_is_one_statement_and_a_later_try_reads_once(made_sql: Made, provider: Provider) -> None:
    """A job without steps sends what it sent before."""
    app = made_sql(jobs={"Create": servers(provider)})
    [plain], [stepped] = ([app.enqueue("Create", {"steps": steps})] for steps in ([], ["port", "server", "disk"]))
    with statements(app) as sent:
        app.run_jobs()
    assert len([one for one in sent if "job_step" in one]) == 3, sent
    app.store.retry([plain, stepped])
    app.store.steps.read([])
    with statements(app) as sent:
        app.run_jobs()
    assert len([one for one in sent if "job_step" in one]) == 1, sent


def test_a_lost_answer_is_no_second_step(made_sql: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement is repeated, and finds what it has kept."""
    app = made_sql(jobs={"Create": lambda job: None})
    app.enqueue("Create")
    [claimed] = app.store.claim(1, ["Create"])
    found = database(app)
    run_once = found.run

    def run_twice(work: Any, **options: Any) -> Any:
        if not options.get("read_only"):
            run_once(work, **options)
        return run_once(work, **options)

    monkeypatch.setattr(found, "run", run_twice)
    assert app.store.steps.keep(claimed.lease, "port", 1)


def test_the_table_is_there_only_where_a_job_takes_job(made_sql: Made, url: str) -> None:
    """Without it `check` warns, steps are refused with the remedy, and all else goes on."""
    app = made_sql(jobs={"Create": lambda params: None})
    assert "job_step" not in database(app).used
    app.shutdown()
    app = made_sql(jobs={"Create": lambda job: job.step("port", lambda: 1)})
    engine = database(app).engine
    assert inspect(engine).has_table("job_step") and not check(database(app))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE job_step")
    database(app).there.clear()
    assert check(database(app)) == ["there is no table job_step: no job can keep steps; run: densefog db init"]
    job = run(app, app.enqueue("Create", try_max=1))
    assert "run: densefog db init" in job.error
    assert app.store.prune(-5) == 1
    assert app.store.init() == ["created table job_step"]


def test_who_lost_the_lease_is_interrupted(made: Made) -> None:
    """So that ``except Exception`` does not go on."""
    assert not issubclass(LeaseLost, Exception) and issubclass(StepRefused, Exception)
