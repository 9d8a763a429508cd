"""Notices of last failures that are derived from the job table: told once as a rule, at least once after a crash."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from densefog_core import notify_durable
from densefog_core.jobs import Job, JobEvent, Outcome, utcnow
from densefog_core.notices.records import DeliveryError
from densefog_core.notify_durable import MAX_TOLD, NOTIFY, OVERLAP, Told, job_id
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import MemoryStore, RecordingChannel, make_app


class Moody(RecordingChannel):
    """Refuses so many notices first."""

    refusals = 0

    def send(self, notification):
        if self.refusals:
            self.refusals -= 1
            raise DeliveryError("mine answered 500")
        super().send(notification)


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(notify_durable, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(notify_durable, "LOOK_LEAST", 0.01)


@pytest.fixture
def start():
    apps = []

    def start(store, channel, **settings):
        class Plugin:
            @hookimpl
            def densefog_register_channels(self, registry):
                registry.add("mine", lambda config: channel)

        settings = {"notify_durable": True, "notify_window": 0, **settings}
        app = make_app(Plugin(), jobs={"Fail": lambda params: 1 / params.get("n", 0)}, store=store, **settings)
        apps.append(app)
        app.notifier.start()
        eventually(app, lambda: finished(app))
        return app

    yield start
    for app in apps:
        app.notifier.stop(5)


def finished(app):
    job = app.store.get(job_id("mine"))
    return job is not None and job.status == "finished"


def eventually(app, look):
    """Run jobs until something is so."""
    deadline = time.monotonic() + 10
    while not look():
        assert time.monotonic() < deadline
        app.run_jobs()
        time.sleep(0.005)


def quiet(app, seconds=0.3):
    """Run jobs for a while in which nothing should happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        app.run_jobs()
        time.sleep(0.01)


def fail(app):
    job = app.enqueue("Fail", try_max=1)
    app.run_jobs()
    return job


def ends(channel):
    return [(one.topic, one.job.id) for one in channel.sent if one.topic in ("gave_up", "lost")]


def crash(app, job):
    """Write that a job failed for good, as a worker that is killed before it can tell anybody."""
    [claimed] = app.store.claim(1, ["Fail"])
    assert claimed.id == job
    app.store.finish([Outcome(claimed, "error", error="killed")])


def test_a_last_failure_is_told_once(start):
    channel = RecordingChannel()
    app = start(MemoryStore(), channel)
    job = fail(app)
    eventually(app, lambda: ends(channel))
    quiet(app)
    assert ends(channel) == [("gave_up", job)]
    assert channel.sent[-1].error == "division by zero"


def test_a_crash_right_after_the_jobs_row_was_written_loses_no_notice(start):
    store, before, after = MemoryStore(), RecordingChannel(), RecordingChannel()
    app = start(store, before)
    app.notifier.stop(5)
    job = app.enqueue("Fail", try_max=1)
    crash(app, job)
    again = start(store, after)
    eventually(again, lambda: ends(after))
    assert ends(before) == []
    assert ends(after) == [("gave_up", job)]


def test_another_worker_tells_of_it_without_a_restart(start):
    store, channel = MemoryStore(), RecordingChannel()
    app = start(store, channel)
    job = app.enqueue("Fail", try_max=1)
    crash(app, job)
    eventually(app, lambda: ends(channel))
    assert ends(channel) == [("gave_up", job)]


def test_a_notice_that_was_not_delivered_is_sent_until_it_is(start):
    channel = Moody()
    channel.refusals = 6
    app = start(MemoryStore(), channel, mine_topics="gave_up")
    job = fail(app)

    def told():
        # Between its tries the job waits for some seconds.
        app.store.run_now([job_id("mine")])
        return ends(channel)

    eventually(app, told)
    assert ends(channel) == [("gave_up", job)]
    assert channel.refusals == 0


def test_a_crash_between_the_notice_and_its_record_sends_it_again(start):
    store, channel = MemoryStore(), RecordingChannel()
    app = start(store, channel)
    before = store.get(job_id("mine"))
    job = fail(app)
    eventually(app, lambda: ends(channel) and finished(app))
    app.notifier.stop(5)
    store.jobs[before.id] = replace(store.get(before.id), result=before.result)
    again = start(store, channel)
    eventually(again, lambda: len(ends(channel)) == 2)
    assert ends(channel) == [("gave_up", job)] * 2


def test_what_failed_before_it_was_turned_on_is_not_told(start):
    store, channel = MemoryStore(), RecordingChannel()
    old = Job(id="job-old", action="Fail", status="error", error="long ago", updated=utcnow() - timedelta(hours=1))
    store.jobs[old.id] = old
    app = start(store, channel)
    quiet(app)
    assert ends(channel) == []


def test_a_job_that_is_retried_and_fails_again_is_told_again(start):
    channel = RecordingChannel()
    app = start(MemoryStore(), channel)
    job = fail(app)
    eventually(app, lambda: ends(channel) and finished(app))
    app.store.retry([job])
    eventually(app, lambda: len(ends(channel)) == 2)
    assert [one.job.trys for one in channel.sent if one.topic == "gave_up"] == [1, 2]


def test_cancelled_jobs_and_its_own_are_not_told_of(start):
    channel = Moody()
    app = start(MemoryStore(), channel)
    job = app.enqueue("Fail", run_at=timedelta(hours=1))
    app.store.cancel([job])
    app.notifier.handle(JobEvent("failed", Job(id="job-x", action=NOTIFY)))
    quiet(app)
    assert channel.sent == []


def test_lost_jobs_are_told_of_as_lost(start):
    store, channel = MemoryStore(), RecordingChannel()
    app = start(store, channel)
    job = app.enqueue("Fail", try_max=1)
    store.claim(1, ["Fail"])
    store.jobs[job] = replace(store.jobs[job], updated=utcnow() - timedelta(seconds=100))
    store.reclaim(store.stale(60), 60)
    eventually(app, lambda: ends(channel))
    assert ends(channel) == [("lost", job)]


def test_1000_last_failures_make_at_most_5_notices_and_are_all_counted(start):
    channel = RecordingChannel()
    app = start(MemoryStore(), channel, notify_window=1, mine_topics="gave_up, lost")
    for number in range(1000):
        app.enqueue("Fail", {"number": number}, try_max=1)
    app.run_jobs()
    eventually(app, lambda: sum(one.count for notice in channel.sent for one in notice.counts) >= 999)
    assert len(channel.sent) <= 5
    app.notifier.stop(5)
    assert app.notifier.counts() == {}


def test_topics_that_the_channel_does_not_want_are_taken_as_told(start):
    channel = RecordingChannel()
    app = start(MemoryStore(), channel, mine_topics="lost")
    fail(app)
    eventually(app, lambda: Told.of(app.store.get(job_id("mine"))))
    assert channel.sent == []


def test_without_the_option_nothing_is_registered_or_stored():
    app = make_app(jobs={"Fail": lambda: 1 / 0})
    app.notifier.add(RecordingChannel(), "mine")
    app.notifier.start()
    fail(app)
    app.notifier.stop(5)
    assert NOTIFY not in app.job_specs
    assert {job.action for job in app.store.jobs.values()} == {"Fail"}


def test_what_is_remembered_fits_the_column_and_moves_on():
    now = utcnow()
    told = Told(now - timedelta(days=1), {})
    jobs = [
        Job(id=f"job-{number:026d}", action="Fail", updated=now - timedelta(seconds=number // 20))
        for number in range(5000)
    ]
    moved = told.adding(jobs).moved_on()
    assert moved.since >= now - timedelta(seconds=OVERLAP)
    assert 0 < len(moved.json()["told"]) <= MAX_TOLD
    assert len(str(moved.json())) < 65_000
    assert Told.of(Job(id="job-x", action=NOTIFY, result=moved.json())).json() == moved.json()
