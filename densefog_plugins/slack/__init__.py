"""Channel ``slack``: notices to a Slack webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl, require
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_core.notify import Channel, ChannelFactory
    from densefog_core.registry import Registry

@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the webhook."""
    config.declare(
        Setting(name="slack_webhook_url", plugin="slack", env=("SLACK_WEBHOOK_URL",), secret=True,
                help="Address of the incoming webhook; unset sends nothing.")
    )
    # After that: whoever has set it is told that the package is missing.
    require("slack_sdk", extra="densefog[slack]")


@hookimpl
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register ``slack``."""
    registry.add("slack", make_channel)


def make_channel(config: Config) -> Channel | None:
    """Return the channel, or None when there is no webhook."""
    if not config.slack_webhook_url:
        return None
    from densefog_plugins.slack.channel import SlackChannel

    return SlackChannel(config)
