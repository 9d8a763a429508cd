"""Processes that handlers fork: each gets a loop of its own.

Otherwise a child that waits would run the greenlets of its parent: it would claim jobs and accept connections too.
"""

from __future__ import annotations

import os
from functools import cache

from gevent import hub


@cache
def isolate() -> None:
    """Give every process that is forked from this one a loop of its own; a second call does nothing."""
    os.register_at_fork(after_in_child=_renew)


def _renew() -> None:
    # Not the default loop: that is the parent's, with all that it waits for.
    hub.set_hub(hub.Hub(default=False))
