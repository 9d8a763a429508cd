"""Encrypted jobs: in memory, on SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet

from densefog_core import Secret, job
from densefog_core.errors import ConfigError, JobRefused, RegistrationError
from densefog_core.jobs import Job
from densefog_core.testing import TestApp, make_app
from tests.plugins.models.flow.conftest import Made

CANARY = "c4nary-\U0001f600-of-a-password"
FIRST, SECOND = (Fernet.generate_key().decode() for _ in range(2))


class Login(msgspec.Struct):
    """Typed params with a secret."""

    user: str
    phrase: Secret
    resource_ids: list[str] = []


@dataclasses.dataclass
class Size:
    """Typed params without one."""

    gigabytes: int


def encrypted(handler: Any, **options: Any) -> Any:
    return {"Create": job("Create", encrypted=True, **options)(handler)}


def stored(app: TestApp, job_id: str) -> str:
    """Everything that the store has of a job."""
    steps = [step.value for step in app.store.steps.read([job_id]).get(job_id, ())]
    return json.dumps([dataclasses.asdict(row(app, job_id)), steps], default=str, ensure_ascii=False)


def row(app: TestApp, job_id: str) -> Job:
    found = app.store.get(job_id)
    assert found is not None
    return found


def test_the_store_never_has_params_steps_or_results(made: Made) -> None:
    """Before, while and after the job runs; the handler gets what was enqueued, and what steps returned."""
    seen: list[Any] = []

    def create(params: dict[str, Any], job: Any) -> Any:
        seen.append(params)
        job.progress({"phase": CANARY})
        seen.append(stored(app, job.id))
        return {"login": job.step("login", lambda: [CANARY, params["admin"]]), "ids": params["resource_ids"]}

    app = made(jobs=encrypted(create), secret_keys=[FIRST])
    params = {"admin": {"password": CANARY}, "note": CANARY, "resource_ids": ["vol-1"]}
    job_id = app.enqueue("Create", params)
    texts = [stored(app, job_id)]
    app.run_jobs()
    texts += [seen.pop(), stored(app, job_id)]
    assert seen == [params]
    assert not any(CANARY in text for text in texts)
    done = row(app, job_id)
    assert (done.status, done.resource_ids) == ("finished", ["vol-1"])
    assert app.opened(done).result == {"login": [CANARY, {"password": CANARY}], "ids": ["vol-1"]}


def test_an_operator_can_retry_one_that_had_a_secret(made: Made) -> None:
    """The later try gets the same params, and the steps of the first one."""
    seen: list[Any] = []

    def create(params: dict[str, Any], job: Any) -> None:
        seen.append((params["password"], job.step("make", lambda: Secret(CANARY))))
        if len(seen) == 1:
            raise OSError(f"the provider refuses {CANARY}")

    app = made(jobs=encrypted(create, try_max=1), secret_keys=[FIRST])
    job_id = app.enqueue("Create", {"password": CANARY})
    app.run_jobs()
    assert row(app, job_id).status == "error" and "the provider refuses ********" in row(app, job_id).error
    assert app.store.retry([job_id]) == [job_id]
    app.run_jobs()
    assert row(app, job_id).status == "finished"
    assert seen == [(CANARY, CANARY)] * 2


def test_a_secret_in_the_type_of_params_encrypts_the_job(made: Made) -> None:
    """The handler gets the type; the secret's value is hidden in errors, though no name tells of it."""
    seen: list[Any] = []

    def create(params: Login) -> None:
        seen.append(params)
        raise ValueError(f"{params.phrase.reveal()} is wrong")

    app = made(jobs={"Create": create}, secret_keys=[FIRST])
    job_id = app.enqueue("Create", {"user": "ada", "phrase": Secret(CANARY), "resource_ids": ["usr-1"]}, try_max=1)
    assert CANARY not in stored(app, job_id)
    app.run_jobs()
    assert seen == [Login("ada", Secret(CANARY), ["usr-1"])]
    assert CANARY not in stored(app, job_id) and "******** is wrong" in row(app, job_id).error


def test_the_end_of_a_job_is_told_with_its_params(made: Made) -> None:
    """``on_last_failure`` gets them as they were enqueued."""
    told: list[Job] = []
    jobs = encrypted(lambda: 1 / 0, try_max=1, on_last_failure=told.append)
    app = made(jobs=jobs, secret_keys=[FIRST])
    app.enqueue("Create", {"note": CANARY})
    app.run_jobs()
    assert [one.params for one in told] == [{"note": CANARY}]


def test_a_worker_without_the_key_does_not_call_the_handler(made: Made) -> None:
    """The try fails and says so; with the key, a later one goes through. Keys are rotated without downtime."""
    called: list[Any] = []
    app = made(jobs=encrypted(lambda params: called.append(params)), secret_keys=[FIRST])
    job_id = app.enqueue("Create", {"note": CANARY}, try_period=0)
    app.config.apply(secret_keys=[SECOND])
    app._cipher = None
    [claimed] = app.store.claim(1, ["Create"])
    app._run_job(claimed)
    assert "No key of setting secret_keys opens this text" in row(app, job_id).error and called == []
    app.config.apply(secret_keys=[SECOND, FIRST])
    app._cipher = None
    app.run_jobs()
    assert called == [{"note": CANARY}]


def test_without_keys_it_is_refused_when_it_is_declared() -> None:
    """In one line that names the job, and how a key is made."""

    def create(params: Login) -> None: ...

    for jobs in (encrypted(lambda: None), {"Create": create}):
        with pytest.raises(ConfigError, match=r"job 'Create' of .* is encrypted, and setting secret_keys") as caught:
            make_app(jobs=jobs)
        assert "\n" not in str(caught.value)


def test_params_that_do_not_fit_their_type_are_not_enqueued() -> None:
    """The message says where, without the value."""

    def create(params: Login) -> None: ...

    app = make_app(jobs={"Create": create}, secret_keys=[FIRST])
    with pytest.raises(JobRefused, match=r"do not fit Login: Expected `str`.*\$\.user") as caught:
        app.enqueue("Create", {"user": 5, "phrase": CANARY})
    assert CANARY not in str(caught.value)


def test_typed_params_without_a_secret_are_not_encrypted() -> None:
    """They are converted, and stored as they are."""
    seen: list[Any] = []

    def grow(params: Size) -> None:
        seen.append(params)

    app = make_app(jobs={"Grow": grow})
    job_id = app.enqueue("Grow", {"gigabytes": 5})
    app.run_jobs()
    assert seen == [Size(5)] and row(app, job_id).params == {"gigabytes": 5}


def test_a_class_that_plugins_cannot_add_to_is_refused() -> None:
    """Tracing adds ``traceparent`` to params."""

    class Closed(msgspec.Struct, forbid_unknown_fields=True):
        size: int

    def grow(params: Any) -> None: ...

    grow.__annotations__["params"] = Closed
    with pytest.raises(RegistrationError, match="Closed forbids unknown fields"):
        make_app(jobs={"Grow": grow})


def test_what_is_too_long_once_it_is_sealed_is_refused() -> None:
    """Params are; a result becomes a note, and the job ends."""
    app = make_app(jobs=encrypted(lambda: "x" * 60_000), secret_keys=[FIRST])
    with pytest.raises(JobRefused, match="the column holds 65535"):
        app.enqueue("Create", {"note": "x" * 60_000})
    job_id = app.enqueue("Create")
    app.run_jobs()
    assert row(app, job_id).result["truncated"] is True
