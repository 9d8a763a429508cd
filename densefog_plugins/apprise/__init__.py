"""Channel ``apprise``: notices to any service that Apprise knows: e-mail, PagerDuty, Telegram, DingTalk, and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl, require
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_core.notify import Channel, ChannelFactory
    from densefog_core.registry import Registry

@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the addresses."""
    config.declare(
        Setting(name="apprise_urls", plugin="apprise", type=list, secret=True,
                help="Apprise's addresses of services, such as mailtos://user:password@example.com; a comma list.")
    )
    # After that: whoever has set it is told that the package is missing.
    require("apprise", extra="densefog[apprise]")


@hookimpl
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register ``apprise``."""
    registry.add("apprise", make_channel)


def make_channel(config: Config) -> Channel | None:
    """Return the channel, or None when there is no address."""
    if not config.apprise_urls:
        return None
    from densefog_plugins.apprise.channel import AppriseChannel

    return AppriseChannel(config)
