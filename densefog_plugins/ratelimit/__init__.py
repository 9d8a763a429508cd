"""Refuses callers that call too often, by access key, or by address when a call has no key."""

from __future__ import annotations

from collections.abc import Iterable

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

SETTINGS = (
    Setting(name="ratelimit_rules", plugin="ratelimit", type=list, default=[],
            help="ACTION=CALLS/SECONDS, or *=CALLS/SECONDS for each action that has no rule of its own; by caller."),
    Setting(name="ratelimit_shared", plugin="ratelimit", type=bool, default=False,
            help="Count the calls to all processes together, in the database, instead of in each one by itself."),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the rules."""
    for setting in SETTINGS:
        config.declare(setting)


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Watch calls when there is a rule."""
    if not config.ratelimit_rules:
        return []
    from densefog_plugins.ratelimit.limiter import RateLimit

    return [RateLimit(config.ratelimit_rules, shared=config.ratelimit_shared)]
