"""What an action's line declares, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from densefog_core import action
from densefog_core.actions.declaring import plural
from densefog_core.actions.handlers import make_spec
from densefog_core.errors import RegistrationError
from densefog_core.testing import make_app


def nothing(params: dict[str, Any]) -> dict[str, Any]:
    return {}


class Found(Struct):
    size: int


@pytest.mark.parametrize(
    ("name", "effect", "known"),
    [
        ("DescribeVolumes", "read", True),
        ("GetVolume", "read", True),
        ("ListVolumes", "read", True),
        ("Getaway", "change", False),
        ("CreateVolumes", "change", False),
    ],
)
def test_an_effect_that_is_left_out_is_guessed(name, effect, known):
    """By the name, which is relied on where it says that the action only reads."""
    spec = make_spec(name, nothing)
    assert (spec.effect, spec.effect_known, spec.plannable) == (effect, known, known)


@pytest.mark.parametrize("effect", ["read", "create", "change", "destroy"])
def test_a_declared_effect_is_known(effect):
    """Whatever the name says."""
    spec = make_spec("DescribeVolumes", nothing, effect=effect)
    assert (spec.effect, spec.effect_known) == (effect, True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("effect", "write"),
        ("tags", "volumes"),
        ("tags", [3]),
        ("examples", {"size": 3}),
        ("deprecated", "next year"),
        ("deprecated_since", "2026-13-01"),
    ],
)
def test_a_wrong_declaration_stops_start_up(option, value):
    """With a line that names the action and the option's value."""
    with pytest.raises(RegistrationError, match="action 'Do'") as caught:
        make_spec("Do", nothing, **{option: value})
    assert "\n" not in str(caught.value)


def test_tags_are_declared_or_the_resource_or_the_module():
    """In this order."""
    assert make_spec("Do", nothing, tags=["a", "b"], operation=("volume", "volumeIds")).tags == ("a", "b")
    assert make_spec("Do", nothing, operation=("volume", "volumeIds")).tags == ("volumes",)
    assert make_spec("Do", nothing).tags == ("test_declaring",)


def test_nouns_have_plurals():
    """The usual ones."""
    assert [plural(one) for one in ("volume", "policy", "key", "address")] == [
        "volumes", "policies", "keys", "addresses",
    ]  # fmt: skip


@action("Find", effect="read", returns=Found)
def find() -> Any:
    return {"size": "large"}


def test_a_result_that_does_not_fit_fails_in_tests():
    """As an error of the server, whose log says where."""
    reply = make_app(actions={"Find": find}).api().post({"action": "Find"})
    assert reply["retCode"] == 5000


def test_a_result_that_does_not_fit_is_logged_once(caplog):
    """In production, where it is sent."""
    app = make_app(actions={"Find": find})
    app.strict = False
    api = app.api()
    assert [api.post({"action": "Find"})["data"] for _ in range(2)] == [{"size": "large"}] * 2
    lines = [record.getMessage() for record in caplog.records if "declares" in record.getMessage()]
    assert lines == ["action Find: its result is not what it declares: Expected `int`, got `str` - at `data.size`"]


def test_describe_actions_shows_the_declaration():
    """Of each action."""
    api = make_app(actions={"Find": find}).api()
    row = api.call("DescribeActions", actionNames=["Find"])["actionSet"][0]
    assert (row["effect"], row["tags"], row["deprecated"], row["replacedBy"]) == (
        "read", ["test_declaring"], None, None,
    )  # fmt: skip
