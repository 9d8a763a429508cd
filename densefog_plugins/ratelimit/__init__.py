"""Refuses callers that call too often, by access key, or by address when a call has no key.

Where calls are authenticated, whoever fails at that too often is refused before it is tried again: by address, and by
access key.
"""

from __future__ import annotations

from collections.abc import Iterable

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

SETTINGS = (
    Setting(name="ratelimit_rules", plugin="ratelimit", type=list, default=[],
            help="ACTION=CALLS/SECONDS, or *=CALLS/SECONDS for each action that has no rule of its own; by caller."),
    Setting(name="ratelimit_shared", plugin="ratelimit", type=bool, default=False,
            help="Count the calls to all processes together, in the database, instead of in each one by itself."),
    Setting(name="ratelimit_failures", plugin="ratelimit", default="10/60",
            help="CALLS/SECONDS: failed authentications of one address, and with one access key, after which both are "
                 "refused for a while; counted in each process by itself. Empty for no limit."),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the rules."""
    for setting in SETTINGS:
        config.declare(setting)


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Watch calls when there is a rule, and failures unless that is turned off."""
    parts: list[object] = []
    if config.ratelimit_failures:
        from densefog_plugins.ratelimit.failures import FailureLimit

        parts.append(FailureLimit(config.ratelimit_failures))
    if config.ratelimit_rules:
        from densefog_plugins.ratelimit.limiter import RateLimit

        parts.append(RateLimit(config.ratelimit_rules, shared=config.ratelimit_shared))
    return parts
