"""Who calls too often waits; nobody else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import densefog_plugins.ratelimit
from densefog_core.errors import ConfigError, http_status
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import make_app
from densefog_plugins.ratelimit import limiter
from densefog_plugins.ratelimit.limiter import Limiter, Rule, SharedLimiter, read_rules
from tests.plugins.conftest import Serve


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Keys:
    """A plugin that finds out whose key it is, as one for signatures does."""

    @hookimpl(wrapper=True)
    def densefog_call_action(self, request):
        request.access_key = request.headers.get("key")
        return (yield)


ACTIONS = {"Ping": lambda: {}, "Pong": lambda: {}, "Free": lambda: {}}


def app_of(*rules, plugins=(), **settings):
    return make_app(densefog_plugins.ratelimit, *plugins, actions=ACTIONS, ratelimit_rules=list(rules), **settings)


def codes(api, *calls, **headers):
    return [api.post({"action": action}, **headers)["retCode"] for action in calls]


def test_without_rules_nothing_stands_between_a_call_and_its_handler():
    assert not app_of().plugins.is_wrapped("densefog_call_action")


def test_a_caller_that_calls_too_often_is_told_when_to_come_back():
    api = app_of("Ping=2/60").api()
    assert codes(api, "Ping", "Ping") == [0, 0]
    refused = api.post({"action": "Ping"})
    assert (refused["retCode"], refused["data"]["retryAfter"]) == (4129, 30)
    assert refused["message"] == "Ping is called too often; try again in 30 s"
    assert http_status(4129) == 429


def test_a_rule_for_one_action_limits_no_other():
    assert codes(app_of("Ping=1/60").api(), "Ping", "Ping", "Pong", "Pong") == [0, 4129, 0, 0]


def test_the_rule_for_all_counts_each_action_by_itself_and_gives_way_to_an_actions_own():
    api = app_of("*=1/60", "Free=3/60").api()
    assert codes(api, "Ping", "Pong", "Ping", "Pong", "Free", "Free", "Free") == [0, 0, 4129, 4129, 0, 0, 0]


def test_callers_are_told_apart_by_the_key_that_another_plugin_found_before():
    api = app_of("Ping=1/60", plugins=[Keys()]).api()
    assert codes(api, "Ping", "Ping", key="ada") == [0, 4129]
    assert codes(api, "Ping", "Ping", key="bob") == [0, 4129]
    assert codes(api, "Ping") == [0]


@pytest.mark.parametrize("rule", ["Ping", "Ping=0/1", "Ping=1/0", "Ping=-1/1", "=1/1", "Ping=1/1/1", "a b=1/2"])
def test_a_rule_that_is_none_stops_start_up(rule):
    with pytest.raises(ConfigError, match="is not ACTION=CALLS/SECONDS"):
        app_of(rule)


def test_two_rules_for_one_action_stop_start_up():
    with pytest.raises(ConfigError, match="two rules for Ping"):
        read_rules(["Ping=1/1", "Ping=2/1"])


@given(
    st.integers(1, 20),
    st.floats(0.1, 100),
    st.lists(st.floats(0, 30), min_size=1, max_size=100),
)
def test_in_no_window_are_more_than_twice_the_calls_allowed_and_who_waits_as_told_is_served(calls, seconds, pauses):
    clock = Clock()
    counter, rule, allowed = Limiter(clock), Rule(calls, seconds), []
    for pause in pauses:
        clock.now += pause
        wait = counter.take("ada", "Ping", rule)
        if wait:
            assert wait <= seconds
            clock.now += wait + 1e-6
            assert counter.take("ada", "Ping", rule) == 0
        allowed.append(clock.now)
    for start in allowed:
        inside = [at for at in allowed if start <= at < start + seconds]
        assert len(inside) <= 2 * calls


def test_a_refused_call_costs_the_caller_nothing():
    clock = Clock()
    counter = Limiter(clock)
    assert counter.take("ada", "Ping", Rule(1, 10)) == 0
    for _ in range(50):
        assert counter.take("ada", "Ping", Rule(1, 10)) > 0
    clock.now += 10
    assert counter.take("ada", "Ping", Rule(1, 10)) == 0


def test_memory_is_bounded_and_the_busiest_callers_are_not_forgotten(monkeypatch):
    monkeypatch.setattr(limiter, "MAX_REMEMBERED", 100)
    counter, rule = Limiter(Clock()), Rule(1, 10)
    for number in range(1000):
        counter.take(f"caller {number}", "Ping", rule)
        assert counter.take(f"caller {max(0, number - 20)}", "Ping", rule) > 0
    assert len(counter._paid) <= 101


def test_over_http_an_address_is_limited(middleware: Serve):
    server = middleware(ratelimit_rules=["Ping=2/60"], http_status="map")
    sent = [server.send("POST", "/", '{"action": "Ping"}') for _ in range(3)]
    assert [(reply.status, reply.json["retCode"]) for reply in sent] == [(200, 0), (200, 0), (429, 4129)]


# -- across processes ------------------------------------------------------------------------------------------


class Counts:
    """A counter that is away when it is told to be."""

    away = False

    def __init__(self):
        self.counts = {}

    def add(self, key, lifetime):
        if self.away:
            raise ConnectionError("nobody listens")
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key]


def test_windows_begin_for_everybody_at_the_same_time():
    clock, counts = Clock(), Counts()
    clock.now = 1_000_003.0
    first, second = SharedLimiter(counts, clock), SharedLimiter(counts, clock)
    rule = Rule(2, 10)
    assert [one.take("ada", "Ping", rule) for one in (first, second, first)] == [0, 0, 7]
    clock.now += 7
    assert second.take("ada", "Ping", rule) == 0
    assert not any("ada" in key for key in counts.counts)


def test_a_counter_that_is_away_closes_no_service_and_is_reported_once(caplog):
    counts = Counts()
    shared = SharedLimiter(counts)
    counts.away = True
    assert [shared.take("ada", "Ping", Rule(1, 10)) for _ in range(3)] == [0, 0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        "calls are not counted across processes: ConnectionError: nobody listens"
    ]


def test_without_anything_that_counts_across_processes_start_up_stops():
    with pytest.raises(ConfigError, match="ratelimit_shared: no plugin counts"):
        app_of("Ping=1/60", ratelimit_shared=True)
