"""Channel ``sms``: short messages through an HTTP gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_core.notify import Channel, ChannelFactory
    from densefog_core.registry import Registry

SETTINGS = (
    Setting(name="sms_url", plugin="sms", aliases=("notify_sms_url",), env=("NOTIFY_SMS_URL", "NOTIFY_SMS_UR"),
            help="Address of the gateway."),
    Setting(name="sms_key", plugin="sms", aliases=("notify_sms_key",), env=("NOTIFY_SMS_KEY",),
            help="Key that the gateway knows us by."),
    Setting(name="sms_secret", plugin="sms", aliases=("notify_sms_secret",), env=("NOTIFY_SMS_SECRET",), secret=True,
            help="The key's secret."),
    Setting(name="sms_mobiles", plugin="sms", type=list, aliases=("notify_sms_mobiles",),
            env=("NOTIFY_SMS_MOBILES", "NOTIFY_SMS_MOBILE"), help="Numbers that messages go to."),
    Setting(name="sms_key_header", plugin="sms", aliases=("notify_sms_key_header",), default="X-Le-Key",
            help="Header that carries the key."),
    Setting(name="sms_secret_header", plugin="sms", aliases=("notify_sms_secret_header",), default="X-Le-Secret",
            help="Header that carries the secret."),
)  # fmt: skip


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the gateway's settings."""
    for setting in SETTINGS:
        config.declare(setting)


@hookimpl
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register ``sms``."""
    registry.add("sms", make_channel)


def make_channel(config: Config) -> Channel | None:
    """Return the channel, or None when its settings are absent."""
    if not (config.sms_url and config.sms_mobiles):
        return None
    from densefog_plugins.sms.channel import SMSChannel

    return SMSChannel(config)
