"""Registry: names with owners, all or nothing for each plugin, replaced whatever the order, frozen into a dict."""

import pytest

from densefog_core.errors import RegistrationError
from densefog_core.registry import Gate, Registry, did_you_mean


def frozen(registry):
    """Return what a registry holds once start-up is over."""
    gate = Gate()
    gate.close()
    registry.freeze(gate.check)
    return dict(registry.items())


@pytest.fixture
def registry():
    return Registry("channel")


def test_a_value_is_found_under_its_name(registry):
    registry.add("slack", 1)
    assert registry.get("slack") == 1
    assert frozen(registry) == {"slack": 1}


def test_a_name_taken_twice_names_both_owners_and_the_ways_out(registry):
    with registry.owned_by("plugin 'a' of alpha 1.0"):
        registry.add("slack", 1)
    with (
        pytest.raises(
            RegistrationError,
            match=r"channel 'slack' is registered twice: by plugin 'a' of alpha 1.0 and by "
            r"plugin 'b' of beta 2.0; uninstall or disable one, or let one of them call registry.replace()",
        ),
        registry.owned_by("plugin 'b' of beta 2.0"),
    ):
        registry.add("slack", 2)
    assert registry.get("slack") == 1


def test_nothing_stays_of_a_plugin_that_fails_half_way(registry):
    registry.add("log", 0)
    with pytest.raises(ZeroDivisionError), registry.owned_by("plugin"):
        registry.add("slack", 1)
        registry.replace("log", 2)
        raise ZeroDivisionError
    assert frozen(registry) == {"log": 0}


@pytest.mark.parametrize("order", ["add first", "replace first"])
def test_replace_wins_whatever_the_order_of_the_plugins(registry, order):
    steps = [lambda: registry.add("sms", "theirs"), lambda: registry.replace("sms", "ours")]
    for step in steps if order == "add first" else reversed(steps):
        step()
    assert frozen(registry) == {"sms": "ours"}


def test_two_replacements_of_one_name_are_refused(registry):
    registry.add("sms", 1)
    registry.replace("sms", 2)
    with pytest.raises(RegistrationError, match="only one can replace it"):
        registry.replace("sms", 3)


def test_replacing_what_nobody_registers_is_refused_with_the_closest_name(registry):
    registry.add("slack", 1)
    registry.replace("slak", 2)
    with pytest.raises(RegistrationError, match="nobody registers it; did you mean 'slack'"):
        frozen(registry)


def test_an_unknown_name_lists_what_there_is(registry):
    registry.add("slack", 1)
    registry.add("log", 2)
    with pytest.raises(RegistrationError, match=r"unknown channel 'slck'; did you mean 'slack'.*installed: log, slack"):
        registry.get("slck")


def test_registering_after_start_up_is_refused(registry):
    frozen(registry)
    with pytest.raises(RegistrationError, match="after start-up; add it in the hook densefog_register_channels"):
        registry.add("late", 1)


def test_the_owner_of_a_replaced_value_is_who_replaced_it(registry):
    with registry.owned_by("first"):
        registry.add("sms", 1)
    with registry.owned_by("second"):
        registry.replace("sms", 2)
    frozen(registry)
    assert registry.owner("sms") == "second"


def test_no_suggestion_when_nothing_is_close():
    assert did_you_mean("xyz", ["slack", "log"]) == ""
