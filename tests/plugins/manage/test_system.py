"""What operators read of the process."""

from __future__ import annotations

from tests.plugins.manage.conftest import Ops


def test_plugins_are_listed(ops: Ops) -> None:
    """With what became of each."""
    rows = {row["name"]: row for row in ops.call("DescribePlugins", limit=100)["pluginSet"]}
    assert rows["densefog_plugins.manage"]["state"] == "loaded"


def test_settings_are_listed_with_secrets_masked(ops: Ops) -> None:
    """Those that are changed, when only they are asked for."""
    ops.app.config.apply(db_password="hunter2", pick_size=7)
    changed = {row["name"]: row["value"] for row in ops.call("DescribeSettings", changed=True, limit=100)["settingSet"]}
    assert (changed["pick_size"], "lease" in changed) == (7, False)
    assert changed["db_password"] == "********"


def test_recurring_jobs_are_listed(ops: Ops) -> None:
    """By action, with when they recur."""
    assert ops.call("DescribeSchedules")["scheduleSet"] == [{"action": "Sweep", "every": "1h"}]


def test_an_unknown_channel_is_refused(ops: Ops) -> None:
    """Nothing is sent."""
    assert ops.refused("TestChannel", channel="pigeon")["retCode"] == 4104
    assert ops.call("DescribeChannels")["channelSet"] == []


def test_every_action_declares_its_effect(ops: Ops) -> None:
    """So that a plan, a policy and a client can rely on it."""
    assert [spec.name for _, spec in ops.app.actions.items() if not spec.effect_known] == []


def test_a_notice_cannot_be_planned(ops: Ops) -> None:
    """The channel's service would be told."""
    reply = ops.refused("TestChannel", channel="pigeon", dryRun=True)
    assert (reply["retCode"], reply["data"]["errors"][0]["path"]) == (4110, "/dryRun")
