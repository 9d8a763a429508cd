"""Channel ``webhook``: notices as JSON documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_core.notify import Channel, ChannelFactory
    from densefog_core.registry import Registry


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the address and the secret."""
    config.declare(
        Setting(name="webhook_url", plugin="webhook", secret=True, help="Address that documents are sent to.")
    )
    config.declare(
        Setting(name="webhook_secret", plugin="webhook", secret=True, help="Signs them; unset, they are not signed.")
    )


@hookimpl
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register ``webhook``."""
    registry.add("webhook", make_channel)


def make_channel(config: Config) -> Channel | None:
    """Return the channel, or None when there is no address."""
    if not config.webhook_url:
        return None
    from densefog_plugins.webhook.channel import WebhookChannel

    return WebhookChannel(config)
