"""Notices: fanned out off the job's path; a channel that is slow, broken or unset harms nobody."""

import threading
import time
from dataclasses import replace

import pytest

from densefog_core.errors import ConfigError, StartupError
from densefog_core.jobs import Job, JobEvent
from densefog_core.notify import QUEUE_SIZE, LogChannel, Notification
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import RecordingChannel, make_app

JOB = Job(id="job-abcdefghij", action="CreateVolumes", trys=2, try_max=3, project_id="p-1")


class Slow(RecordingChannel):
    def __init__(self):
        super().__init__()
        self.release = threading.Event()

    def send(self, notification):
        self.release.wait(10)
        super().send(notification)


class Broken:
    topics = ("failed",)

    def send(self, notification):
        raise ValueError("no route")


def channels(**factories):
    class Plugin:
        @hookimpl
        def densefog_register_channels(self, registry):
            for name, factory in factories.items():
                registry.add(name, factory)

    return Plugin()


def failed(app):
    app.notifier.handle(JobEvent("retrying", JOB, "no disk"))


def test_a_slow_channel_holds_up_neither_the_job_nor_other_channels():
    app, slow, quick = make_app(), Slow(), RecordingChannel()
    app.notifier.add(slow)
    app.notifier.add(quick)
    failed(app)
    deadline = threading.Event()
    for _ in range(1000):
        if quick.sent:
            break
        deadline.wait(0.005)
    assert quick.sent
    assert not slow.sent
    slow.release.set()
    app.notifier.stop(5)
    assert slow.sent


def test_more_notices_than_a_channels_queue_holds_are_dropped_and_logged(caplog):
    app, slow = make_app(notify_rate=0), Slow()
    app.notifier.add(slow, "slow")
    for _ in range(QUEUE_SIZE + 10):
        failed(app)
    assert "channel slow is too slow; dropped" in caplog.text
    slow.release.set()
    app.notifier.stop(10)


def test_a_broken_channel_is_logged_and_the_others_go_on(caplog):
    app, good = make_app(), RecordingChannel()
    app.notifier.add(Broken(), "broken")
    app.notifier.add(good)
    failed(app)
    app.notifier.stop(5)
    assert len(good.sent) == 1
    assert "channel broken could not send" in caplog.text
    assert "no route" in caplog.text


def test_what_was_not_sent_before_shutdown_is_counted_in_the_log(caplog):
    app, slow = make_app(notify_rate=0), Slow()
    app.notifier.add(slow, "slow")
    for _ in range(3):
        failed(app)
    app.notifier.stop(0.05)
    assert "channel slow: 3 notices were not sent before shutdown" in caplog.text
    slow.release.set()


def test_a_channel_gets_only_the_topics_it_wants():
    app = make_app()
    sent = []
    app.notifier.add(sent.append)
    for kind in ("started", "finished", "retrying"):
        app.notifier.handle(JobEvent(kind, JOB))
    app.notifier.stop(5)
    assert [one.topic for one in sent] == ["failed"]


def test_unset_every_channel_whose_settings_are_present_is_used():
    here = RecordingChannel()
    app = make_app(channels(present=lambda config: here, absent=lambda config: None))
    app.notifier.start()
    failed(app)
    app.notifier.stop(5)
    assert len(here.sent) == 1


def test_a_named_channel_must_have_its_settings():
    app = make_app(channels(sms=lambda config: None), notify_channels="sms")
    with pytest.raises(ConfigError, match="notify_channels names 'sms', but its settings are not present"):
        app.notifier.start()


def test_a_named_channel_must_be_installed():
    app = make_app(channels(slack=lambda config: RecordingChannel()), notify_channels="slak")
    with pytest.raises(StartupError, match="unknown channel 'slak'; did you mean 'slack'"):
        app.notifier.start()


def test_only_named_channels_are_used():
    one, two = RecordingChannel(), RecordingChannel()
    app = make_app(channels(one=lambda config: one, two=lambda config: two), notify_channels="two")
    app.notifier.start()
    failed(app)
    app.notifier.stop(5)
    assert (len(one.sent), len(two.sent)) == (0, 1)


def test_a_notice_says_what_where_and_which_try():
    text = Notification(topic="failed", job=JOB, error="no disk", host="node-1").text
    assert text.splitlines() == [
        "job CreateVolumes job-abcdefghij failed (try 2 of 3)",
        "project: p-1",
        "host: node-1",
        "context: ghij",
        "error: no disk",
    ]


@pytest.mark.parametrize(
    ("topic", "level"), [("failed", "WARNING"), ("gave_up", "ERROR"), ("lost", "ERROR"), ("recovered", "WARNING")]
)
def test_the_log_channel_logs_the_end_of_a_job_as_an_error(caplog, topic, level):
    LogChannel().send(Notification(topic=topic, job=JOB))
    assert [record.levelname for record in caplog.records] == [level]


# -- each channel's own topics and rate ------------------------------------------------------------------------


def test_topics_of_a_channel_are_a_setting():
    here = RecordingChannel()
    app = make_app(channels(mine=lambda config: here), mine_topics="gave_up, recovered")
    app.notifier.start()
    app.notifier.handle(JobEvent("retrying", JOB))
    app.notifier.handle(JobEvent("failed", JOB))
    app.notifier.handle(JobEvent("finished", JOB))
    app.notifier.stop(5)
    assert [one.topic for one in here.sent] == ["gave_up", "recovered"]


def test_topics_and_rate_come_from_the_channels_table_and_variables(tmp_path, monkeypatch):
    (tmp_path / "densefog.toml").write_text("[plugins.my_channel]\ntopics = ['lost']\nrate = 1\n")
    monkeypatch.setenv("DENSEFOG_MY_CHANNEL_RATE", "2")
    app = make_app()
    app.config.load_file(tmp_path / "densefog.toml")
    here = RecordingChannel()
    app.notifier.add(here, "my-channel")
    for number in range(4):
        app.notifier.handle(JobEvent("failed", JOB))
        app.notifier.handle(JobEvent("lost", replace(JOB, action=f"Action{'x' * number}")))
    app.notifier.stop(5)
    assert [one.topic for one in here.sent] == ["lost", "digest"]
    assert [one.count for one in here.sent[1].counts] == [1, 1, 1, 1]


def test_an_unknown_topic_stops_start_up():
    app = make_app(channels(mine=lambda config: RecordingChannel()), mine_topics="gave-up")
    with pytest.raises(ConfigError, match="setting mine_topics: unknown topic 'gave-up'; did you mean 'gave_up'"):
        app.notifier.start()


# -- storms ------------------------------------------------------------------------------------------------------


def fails_here(number):
    raise ValueError(f"volume {number} is gone, password=hunter2")


def test_1000_failing_jobs_make_at_most_5_notices_a_channel_and_a_digest_that_counts_them():
    first, second = RecordingChannel(), RecordingChannel()
    app = make_app(jobs={"Create": lambda params: fails_here(params["n"]), "Delete": lambda params: [][params["n"]]})
    app.notifier.add(first, "first")
    app.notifier.add(second, "second")
    for number in range(1000):
        app.enqueue("Create" if number % 4 else "Delete", {"n": number}, try_max=1)
    assert app.run_jobs() == 1000
    app.notifier.stop(10)
    for channel in (first, second):
        assert len(channel.sent) <= 5
        ends = {one.action: one for one in channel.sent[-1].counts if one.topic == "gave_up"}
        assert (ends["Create"].count, ends["Delete"].count) == (750, 250)
        assert ends["Create"].failure.startswith("ValueError at test_notify.py:")
        assert ends["Create"].failure.endswith(" in fails_here")
        assert "hunter2" not in "".join(one.text for one in channel.sent)


def test_a_notice_carries_the_exceptions_last_lines_without_secrets():
    here = RecordingChannel()
    app = make_app(jobs={"Create": lambda: fails_here(7)})
    app.notifier.add(here)
    app.enqueue("Create", try_max=1)
    app.run_jobs()
    app.notifier.stop(5)
    [end] = [one for one in here.sent if one.topic == "gave_up"]
    assert end.traceback.endswith("ValueError: volume 7 is gone, password=********")
    assert "in fails_here" in end.traceback
    assert "hunter2" not in end.traceback


def test_failures_without_an_exception_are_alike_when_their_texts_are_but_for_numbers():
    here = RecordingChannel()
    app = make_app()
    app.notifier.add(here)
    for number in range(9):
        app.notifier.handle(JobEvent("lost", JOB, f"worker lost (try {number} of 9)"))
    app.notifier.stop(5)
    assert [one.topic for one in here.sent] == ["lost", "digest"]


def test_what_was_sent_failed_and_dropped_is_counted_by_channel():
    app, good = make_app(), RecordingChannel()
    app.notifier.add(good, "good")
    app.notifier.add(Broken(), "broken")
    failed(app)

    def counted():
        counts = app.notifier.counts()
        return counts["good"]["sent"], counts["broken"]["failed"]

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and counted() != (1, 1):
        time.sleep(0.005)
    assert counted() == (1, 1)
    app.notifier.stop(5)


def test_two_notifiers_of_one_name_are_two_channels():
    app, one, two = make_app(), [], []
    app.notifier.add(lambda notice: one.append(notice))
    app.notifier.add(lambda notice: two.append(notice))
    failed(app)
    app.notifier.stop(5)
    assert (len(one), len(two)) == (1, 1)
