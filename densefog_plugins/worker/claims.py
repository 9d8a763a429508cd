"""Claims, and what becomes of those whose answer was lost."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection

from densefog_core.ids import new_id
from densefog_core.jobs import Job, JobStore
from densefog_plugins.worker import machine

_logger = logging.getLogger("densefog.worker")


class Claims:
    """Takes jobs for a worker, each claim under a name of its own.

    When no answer comes, jobs may be running that nobody runs. What bears the claim's name is given back before the
    next claim, and for a lease after that: a server that stood still may execute the statement when it goes on.

    Args:
        store: where the jobs are.
        lease: seconds.
    """

    def __init__(self, store: JobStore, lease: float) -> None:
        self._store = store
        self._lease = lease
        # Until when it is looked for, by name.
        self._unanswered: dict[str, float] = {}
        self._next_look = -math.inf

    def take(self, limit: int, actions: Collection[str]) -> list[Job]:
        """Claim up to so many jobs of these actions."""
        self.give_back()
        name = new_id("claim-")
        try:
            return self._store.claim(limit, actions, name)
        except Exception:
            self._unanswered[name] = math.inf
            self._next_look = -math.inf
            raise

    def give_back(self) -> None:
        """Give back what was taken by claims without an answer."""
        now = machine.monotonic()
        if not self._unanswered or now < self._next_look:
            return
        if given := self._store.give_back(list(self._unanswered)):
            _logger.warning("gave back %d jobs of a claim whose answer was lost", len(given))
        self._next_look = now + self._lease / 8
        self._unanswered = {
            name: min(until, now + self._lease) for name, until in self._unanswered.items() if now < until
        }
