"""The testing kit: what it promises to authors of plugins and applications."""

import doctest

import pytest

from densefog_core import testing
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import FrozenClock, RecordingChannel, make_app


def test_an_app_is_made_of_given_parts_only():
    app = make_app(actions={"Ping": lambda: {"pong": True}})
    assert app.plugins.records[0].found.dist == "the application"
    assert app.api().post({"action": "Ping"}) == {"data": {"pong": True}, "retCode": 0, "message": None}


def test_a_client_sends_headers_and_raw_bodies():
    api = make_app(actions={"Ping": lambda: {}}).api()
    assert api.post(b"{")["retCode"] == 4110
    assert api.post('{"action": "Nope"}', X_Request_Id="r-1")["data"]["exceptionTag"] == "r-1"


def test_each_app_has_settings_of_its_own():
    assert make_app(pick_size=3).config.pick_size == 3
    assert make_app().config.pick_size == 10


def test_enqueued_jobs_can_be_asserted_and_run():
    seen = []
    app = make_app(jobs={"Greet": lambda params: seen.append(params["name"])})
    app.enqueue("Greet", {"name": "Ada", "loud": True})
    assert app.assert_enqueued("Greet", name="Ada").params["loud"]
    with pytest.raises(AssertionError, match=r"no pending job Greet with {'name': 'Bob'}; there are .*Ada"):
        app.assert_enqueued("Greet", name="Bob")
    assert app.run_jobs() == 1
    assert seen == ["Ada"]
    assert app.run_jobs() == 0


def test_a_plugin_under_test_takes_part():
    channel = RecordingChannel()

    class Mine:
        @hookimpl
        def densefog_register_channels(self, registry):
            registry.add("mine", lambda config: channel)

    app = make_app(Mine(), jobs={"Fail": lambda: 1 / 0})
    app.notifier.start()
    app.enqueue("Fail")
    app.run_jobs()
    app.notifier.stop(5)
    assert "failed" in [one.topic for one in channel.sent]


def test_a_frozen_clock_moves_when_told_to():
    clock = FrozenClock()
    before = clock()
    clock.advance(90)
    assert (clock() - before).total_seconds() == 90


def test_the_example_in_its_docstring_is_true():
    assert doctest.testmod(testing).failed == 0
