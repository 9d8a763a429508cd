"""Jobs in the core: declared, checked when enqueued, run once per claim, and what becomes of each try."""

import functools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core import Secret, current_job, enqueue, enqueue_many, job, request
from densefog_core.actions import Request
from densefog_core.context import entered
from densefog_core.errors import JobRefused, RegistrationError
from densefog_core.functions import camel_case
from densefog_core.ids import ALPHABET, SYSTEM_PROJECT, new_id
from densefog_core.jobs import (
    MAX_SECONDS,
    MAX_TEXT,
    Job,
    JobRegistry,
    JobShutdown,
    JobTimeout,
    LeaseLost,
    keyed_id,
    make_spec,
)
from densefog_core.testing import FrozenClock, MemoryStore, RecordingChannel, make_app


@pytest.fixture
def clock():
    return FrozenClock(datetime(2026, 1, 1))


def app_with(handler, clock=None, **options):
    handler.__densefog_job__ = ("Work", options)
    store = MemoryStore(clock) if clock else None
    return make_app(jobs={"Work": handler}, store=store)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def one_run(app, **options):
    job_id = app.enqueue("Work", **options)
    app.run_jobs()
    return app.store.get(job_id)


# -- handlers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (lambda: "nothing", "nothing"),
        (lambda params: params, {"a": 1}),
        (lambda job: job.action, "Work"),
        (lambda is_last_chance: is_last_chance, False),
        (lambda params, time_sleep, is_last_chance: [params["a"], callable(time_sleep)], [1, True]),
        (functools.partial(lambda params, extra: extra, extra=5), 5),
        (lambda **everything: sorted(everything), ["is_last_chance", "job", "params", "time_sleep"]),
    ],
)
def test_a_handler_gets_what_its_signature_names(handler, expected):
    assert one_run(app_with(handler), params={"a": 1}).result == expected


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (lambda volume: None, "asks for 'volume'; a job handler can ask for params, job, time_sleep, is_last_chance"),
        (lambda params, /: None, "asks for 'params'"),
        (lambda params, seconds=0.1: None, "asks for 'seconds'"),
        (lambda params, *, seconds=0.1, **more: None, "asks for 'seconds'"),
        ("text", "'text' is not a function"),
    ],
)
def test_a_handler_that_cannot_be_called_is_refused(handler, reason):
    with pytest.raises(RegistrationError, match=reason):
        make_spec("Work", handler, {})


def test_an_async_handler_is_refused():
    async def handler(): ...

    with pytest.raises(RegistrationError, match="is async"):
        make_spec("Work", handler, {})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"try_max": 0}, "try_max must be a whole number from 1 to 1000000, not 0"),
        ({"try_max": None}, "try_max must be a whole number"),
        ({"try_max": 2.5}, "try_max must be a whole number from 1 to 1000000, not 2.5"),
        ({"try_period": -1}, "try_period must be a whole number from 0 to 315360000, not -1"),
        ({"timeout": 0}, "timeout must be a number from 0.001 to 315360000, not 0"),
        ({"timeout": "5"}, "timeout must be a number"),
        ({"timeout": float("inf")}, "timeout must be a number"),
        ({"timeout": float("nan")}, "timeout must be a number"),
        ({"retries": 5}, "retries.*known options: try_max, try_period, timeout"),
    ],
)
def test_a_wrong_option_is_refused(options, reason):
    with pytest.raises(RegistrationError, match=f"job 'Work': .*{reason}"):
        make_spec("Work", lambda: None, options)


@pytest.mark.parametrize("name", ["", "x" * 51])
def test_a_name_must_fit_its_column(name):
    with pytest.raises(RegistrationError, match="1 to 50 characters"):
        JobRegistry().add(name, lambda: None)


def test_a_job_is_named_after_its_function():
    @job
    def create_volumes(): ...

    assert create_volumes.__densefog_job__ == ("CreateVolumes", {})
    assert camel_case("a_b__c") == "ABC"


# -- enqueue -------------------------------------------------------------------------------------------------------


def test_a_job_has_the_contracts_fields():
    app = app_with(lambda: None)
    stored = app.store.get(app.enqueue("Work", {"resource_ids": ["vol-1"]}))
    assert stored.status == "pending"
    assert stored.id.startswith("job-")
    assert len(stored.id) == 14
    assert set(stored.id[4:]) <= set(ALPHABET)
    assert stored.project_id == SYSTEM_PROJECT == "2" * 22
    assert (stored.trys, stored.try_max, stored.try_period) == (0, 3, 600)
    assert stored.resource_ids == ["vol-1"]


def test_the_handlers_options_are_defaults_that_the_caller_can_override():
    app = app_with(lambda: None, try_max=7, try_period=5)
    assert app.store.get(app.enqueue("Work")).try_max == 7
    stored = app.store.get(app.enqueue("Work", try_max=2, try_period=9))
    assert (stored.try_max, stored.try_period) == (2, 9)


def test_a_job_belongs_to_the_project_of_the_request_or_job_that_enqueues_it():
    def work():
        enqueue("Next", {})

    app = make_app(jobs={"Work": work, "Next": lambda: None})
    with entered(Request("public", "Act", {})):
        request.project_id = "p-1"
        enqueue("Work")
    app.run_jobs()
    assert {one.action: one.project_id for one in app.store.jobs.values()} == {"Work": "p-1", "Next": "p-1"}


@pytest.mark.parametrize(
    ("action", "params", "options", "reason"),
    [
        ("Wrok", {}, {}, "no installed package handles job 'Wrok'; did you mean 'Work'"),
        ("Work", {"a": object()}, {}, "its params are not JSON"),
        ("Work", {"a": float("nan")}, {}, "its params are not JSON"),
        ("Work", {"a": nested(32)}, {}, "its params are not JSON .it is nested more than 32 levels deep"),
        ("Work", {"a": nested(100_000)}, {}, "its params are not JSON .maximum recursion depth"),
        ("Work", {"a": {1: 1, "1": 2}}, {}, "its params are not JSON .the key '1' stands in it twice"),
        ("Work", {"a": [{"b": Secret("x")}]}, {}, r"hold a Secret, .* pass .reveal\(\)"),
        ("Work", {"a": "x" * MAX_TEXT}, {}, "the column holds 65535"),
        ("Work", {"a": "é" * (MAX_TEXT // 2)}, {}, "the column holds 65535"),
        ("Work", {}, {"try_max": 0}, "try_max must be a whole number from 1 to 1000000, not 0"),
        ("Work", {}, {"try_max": "3"}, "try_max must be a whole number"),
        ("Work", {}, {"try_period": 10**12}, "try_period must be a whole number from 0 to 315360000"),
        ("Work", {}, {"run_at": timedelta.max}, "beyond the calendar"),
        ("Work", {}, {"run_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))}, "beyond the calendar"),
        ("Work", {}, {"project_id": "p" * 33}, "has more than 32 characters"),
    ],
)
def test_a_job_that_cannot_be_kept_is_refused_and_nothing_is_written(action, params, options, reason):
    app = app_with(lambda: None)
    with pytest.raises(JobRefused, match=reason):
        app.enqueue(action, params, **options)
    assert app.store.jobs == {}


def test_one_refused_job_of_many_writes_none():
    app = app_with(lambda: None)
    with pytest.raises(JobRefused):
        enqueue_many([{"action": "Work"}, {"action": "Nope"}])
    assert app.store.jobs == {}


def test_many_jobs_are_enqueued_in_order():
    app = app_with(lambda: None)
    ids = enqueue_many([{"action": "Work", "params": {"n": n}} for n in range(3)])
    assert [app.store.get(one).params["n"] for one in ids] == [0, 1, 2]


def test_a_key_gives_the_same_job_however_often_it_is_enqueued():
    app = app_with(lambda: None)
    assert app.enqueue("Work", {"n": 1}, key="k") == app.enqueue("Work", {"n": 2}, key="k")
    assert len(app.store.jobs) == 1
    assert app.enqueue("Work", key="other") != app.enqueue("Work", key="k")


@given(st.text(), st.text())
def test_keyed_ids_fit_the_column_and_never_look_random(action, key):
    made = keyed_id(action, key)
    assert len(made) == 30
    assert Job(id=made, action="x").is_keyed
    assert not Job(id=new_id("job-"), action="x").is_keyed
    assert made == keyed_id(action, key)


@pytest.mark.parametrize(
    "later",
    [
        timedelta(hours=1),
        datetime(2026, 1, 1, 1),
        datetime(2026, 1, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_a_job_runs_not_before_its_time(clock, later):
    app = app_with(lambda: None, clock)
    now = datetime.now(UTC).replace(tzinfo=None)
    clock.now = now if isinstance(later, timedelta) else datetime(2026, 1, 1)
    # The future is told from the past by the process's own clock.
    moment = later if isinstance(later, timedelta) else later.replace(year=now.year + 1)
    app.enqueue("Work", run_at=moment)
    assert app.run_jobs() == 0
    clock.now = now.replace(year=now.year + 2)
    assert app.run_jobs() == 1


# -- tries ---------------------------------------------------------------------------------------------------------


def broken(is_last_chance):
    raise ValueError(f"no disk; password=hunter2; last={is_last_chance}")


def test_a_failed_try_waits_longer_each_time_and_the_last_one_ends_the_job(clock):
    app = app_with(broken, clock, try_max=3, try_period=100)
    first = one_run(app)
    assert (first.status, first.trys) == ("pending", 1)
    assert first.run_at == clock.now + timedelta(seconds=100)
    clock.advance(100)
    app.run_jobs()
    second = app.store.get(first.id)
    assert second.run_at == clock.now + timedelta(seconds=200)
    clock.advance(200)
    app.run_jobs()
    last = app.store.get(first.id)
    assert (last.status, last.trys) == ("error", 3)
    assert "last=True" in last.error


def test_the_text_of_a_failure_is_stored_without_secrets():
    assert "hunter2" not in one_run(app_with(broken)).error


def test_a_handlers_own_backoff_is_used(clock):
    app = app_with(broken, clock, backoff=lambda trys: 7 * trys)
    assert one_run(app).run_at == clock.now + timedelta(seconds=7)


@pytest.mark.parametrize(
    ("backoff", "said"),
    [
        (lambda trys: {}[trys], "KeyError"),
        (lambda trys: None, "not None"),
        (lambda trys: "5", "not '5'"),
        (lambda trys: float("inf"), "not inf"),
    ],
)
def test_a_backoff_that_gives_no_number_is_logged_and_the_jobs_period_counts(clock, caplog, backoff, said):
    app = app_with(broken, clock, backoff=backoff, try_period=60)
    assert one_run(app).run_at == clock.now + timedelta(seconds=60)
    assert "the backoff of job Work failed after try 1" in caplog.text
    assert said in caplog.text


@pytest.mark.parametrize(
    ("options", "waits"),
    [({"backoff": lambda trys: 1e300}, MAX_SECONDS), ({"backoff": lambda trys: -5}, 0), ({}, MAX_SECONDS)],
)
def test_whatever_a_job_waits_for_its_next_try_has_a_date(options, waits):
    failed = Job(id="job-1", action="Work", trys=3, try_period=MAX_SECONDS)
    assert make_spec("Work", broken, options).delay(failed) == waits


class Textless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("raised", "error"), [(Textless(), "Textless"), (SystemExit(3), "SystemExit(3)"), (ValueError(), "ValueError")]
)
def test_whatever_a_handler_raises_its_try_has_failed(raised, error):
    def fail():
        raise raised

    ended = one_run(app_with(fail, try_max=1))
    assert (ended.status, ended.error) == ("error", error)


def test_params_are_redacted_when_the_job_has_ended_but_not_before(clock):
    app = app_with(broken, clock, try_max=2, try_period=0)
    job_id = app.enqueue("Work", {"password": "hunter2"})
    app.store.finish([])
    assert app.store.get(job_id).params == {"password": "hunter2"}
    app.run_jobs()
    assert app.store.get(job_id).params == {"password": "********"}


def test_on_last_failure_is_called_once_with_the_job():
    called = []
    app = app_with(broken, try_max=1, on_last_failure=called.append)
    ended = one_run(app)
    assert [one.id for one in called] == [ended.id]


def test_a_handler_changes_its_copy_of_the_params():
    """Not the record: what is written at its end, and what on_last_failure is given, are the job's params."""
    called = []

    def changes(params, job):
        params["resource_ids"].clear()
        params["client"] = object()
        job.params.clear()
        raise ValueError("no disk")

    app = app_with(changes, try_max=1, on_last_failure=called.append)
    ended = one_run(app, params={"resource_ids": ["vol-1"], "password": "hunter2"})
    assert ended.params == {"resource_ids": ["vol-1"], "password": "********"}
    assert called[0].resource_ids == ["vol-1"]


def test_on_last_failure_that_fails_does_not_keep_the_job_from_ending(caplog):
    app = app_with(broken, try_max=1, on_last_failure=lambda job: 1 / 0)
    assert one_run(app).status == "error"
    assert "ZeroDivisionError" in caplog.text


def test_a_try_given_back_at_shutdown_counts_for_nothing():
    def stop():
        if current_job.trys == 1:
            raise JobShutdown("the worker stops")

    ended = one_run(app_with(stop, try_max=1))
    assert (ended.status, ended.trys, ended.try_max) == ("finished", 2, 2)


def test_a_try_that_lost_its_lease_writes_nothing():
    def lose():
        app.store._put(app.store.get(current_job.id), trys=9)
        current_job.progress({"done": 1})
        raise LeaseLost("taken over")

    app = app_with(lose)
    ended = one_run(app)
    assert (ended.status, ended.trys, ended.result) == ("running", 9, None)


def test_a_timeout_fails_the_try_even_through_a_handler_that_catches_everything():
    def stubborn():
        try:
            raise JobTimeout("timed out after 5 s")
        except Exception:
            pytest.fail("a timeout is no Exception")

    assert one_run(app_with(stubborn, try_max=1)).error == "timed out after 5 s"


@pytest.mark.parametrize("result", [object(), float("nan")])
def test_a_result_that_is_not_json_is_a_failure(result):
    assert one_run(app_with(lambda: result, try_max=1)).status == "error"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("x" * (MAX_TEXT + 1), "the result has 65538 characters; the column holds 65535 bytes"),
        (nested(33), "it is nested more than 32 levels deep"),
    ],
)
def test_a_result_that_its_column_would_not_give_back_is_replaced_by_a_note(result, reason):
    note = one_run(app_with(lambda: result)).result
    assert note["truncated"] is True
    assert reason in note["reason"]


def test_progress_is_stored_while_the_job_runs():
    def work():
        current_job.progress({"percent": 50})
        return {"seen": app.store.get(current_job.id).result}

    app = app_with(work)
    assert one_run(app).result == {"seen": {"percent": 50}}


def test_progress_too_large_for_its_column_is_replaced_by_a_note():
    def work():
        current_job.progress("x" * MAX_TEXT)
        return app.store.get(current_job.id).result["reason"]

    app = app_with(work)
    assert one_run(app).result == "the result has 65537 characters; the column holds 65535 bytes"


# -- what is told of it --------------------------------------------------------------------------------------------


def test_channels_hear_of_each_failure_and_whether_it_was_the_last(clock):
    channel = RecordingChannel()
    app = app_with(broken, clock, try_max=2, try_period=0)
    app.notifier.add(channel)
    one_run(app)
    app.notifier.stop(5)
    assert [one.topic for one in channel.sent] == ["started", "failed", "started", "gave_up"]
    assert channel.sent[-1].is_last_chance
    assert "hunter2" not in channel.sent[-1].text


def test_channels_hear_of_a_recovery():
    def at_second():
        if current_job.trys == 1:
            raise ValueError

    channel = RecordingChannel()
    app = app_with(at_second, try_period=0)
    app.notifier.add(channel)
    one_run(app)
    app.notifier.stop(5)
    assert channel.sent[-1].topic == "recovered"
    assert channel.sent[-1].title.endswith("finished after 1 failed tries")
