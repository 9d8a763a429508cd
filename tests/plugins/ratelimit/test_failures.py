"""Guessing of keys is slow, counted and seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

import densefog_plugins.ratelimit
from densefog_core import hookimpl
from densefog_core.actions.records import Call
from densefog_core.errors import ConfigError
from densefog_core.errors.project_error import AccessKeyInvalid
from densefog_core.testing import TestApp, make_app
from densefog_plugins.ratelimit.failures import FailureLimit


class Keys:
    """A plugin whose keys are right when their secret is their id, and that counts its work."""

    looked = 0

    @hookimpl
    def densefog_startup(self, app: Any) -> None:
        app.key_of = lambda request: request.headers.get("key", "")

    @hookimpl
    def densefog_authenticate(self, request: Any) -> bool:
        self.looked += 1
        if request.headers.get("secret") != request.claimed_key or not request.claimed_key:
            raise AccessKeyInvalid(request.claimed_key)
        return True


class Watch:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def app(keys: Keys, watch: Watch) -> TestApp:
    return make_app(keys, FailureLimit("3/60", watch), actions={"Ping": lambda: {}})


def call(app: TestApp, key: str, secret: str, address: str = "10.0.0.1") -> int:
    headers = {"key": key, "secret": secret} if key else {}
    text = app.api().dispatch(Call(b'{"action": "Ping"}', headers, address)).text
    return int(json.loads(text)["retCode"])


def test_an_address_that_guesses_is_refused_unlooked_at(app: TestApp, keys: Keys, watch: Watch) -> None:
    """After three failures with whatever keys the fourth costs no look at the key; time heals."""
    assert [call(app, f"key-{n}", "guess") for n in range(5)] == [4101] * 3 + [4129] * 2
    assert call(app, "mine", "mine") == 4129
    assert keys.looked == 3
    assert call(app, "mine", "mine", "10.0.0.2") == 0
    watch.now += 60
    assert call(app, "mine", "mine") == 0


def test_a_key_that_is_guessed_from_many_addresses_is_refused(app: TestApp) -> None:
    """The key's failures count wherever they come from."""
    assert [call(app, "mine", "guess", f"10.0.1.{n}") for n in range(5)] == [4101] * 3 + [4129] * 2
    assert call(app, "mine", "mine", "10.0.2.1") == 4129


def test_guessers_do_not_lock_out_who_was_let_in_before(app: TestApp) -> None:
    """A key goes on to work from where it was right, though others guess it, or guess from the same address."""
    assert call(app, "mine", "mine", "10.0.0.9") == 0
    for n in range(5):
        call(app, "mine", "guess", f"10.0.1.{n}")
        call(app, f"key-{n}", "guess", "10.0.0.9")
    assert call(app, "mine", "mine", "10.0.0.9") == 0
    assert [call(app, "mine", "guess", "10.0.0.9") for _ in range(2)] == [4101, 4129]


def test_calls_without_a_key_are_no_guesses(app: TestApp) -> None:
    """They are refused, but lock nobody out."""
    assert {call(app, "", "") for _ in range(10)} == {4101}
    assert call(app, "mine", "mine") == 0


def test_the_lock_is_logged_once(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    """One line when the limit is reached, not one a guess."""
    for _ in range(10):
        call(app, "mine", "guess")
    lines = [record.getMessage() for record in caplog.records if record.name == "densefog.ratelimit"]
    assert sorted(lines) == [
        "too many failed authentications of access key 'mine': refused for a while",
        "too many failed authentications of address '10.0.0.1': refused for a while",
    ]


def test_it_is_on_unless_it_is_turned_off(keys: Keys) -> None:
    """Without any rule failures are limited; an empty setting ends that, and a wrong one stops start-up."""
    on = make_app(densefog_plugins.ratelimit, keys, actions={"Ping": lambda: {}})
    assert 4129 in [call(on, "mine", "guess") for _ in range(30)]
    off = make_app(densefog_plugins.ratelimit, keys, actions={"Ping": lambda: {}}, ratelimit_failures="")
    assert {call(off, "mine", "guess") for _ in range(30)} == {4101}
    with pytest.raises(ConfigError, match="ratelimit_failures"):
        make_app(densefog_plugins.ratelimit, ratelimit_failures="many")
