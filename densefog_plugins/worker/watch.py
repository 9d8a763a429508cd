"""Which jobs may be taken back: those whose rows were seen old, and did not change while the database answered.

Who could not reach the database does not judge others. A database that stands still makes all rows old, and the first
statement after it must not end the jobs of healthy workers: they could not beat either. So a row counts from when this
worker has seen it old, by its own monotonic clock, and only for as long as the database answers without a gap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from densefog_core.jobs import JobStore, Lease, Sighting
from densefog_plugins.worker import machine

#: How long a row must not change, and after how long without an answer all begins anew; both in leases. The second one
#: is a beat and a half.
UNCHANGED, GAP = 0.5, 0.375


class Watch:
    """Watches rows that look old.

    Args:
        store: where they are.
        lease: seconds.
    """

    def __init__(self, store: JobStore, lease: float) -> None:
        self._store = store
        self._lease = lease
        self._since: dict[tuple[Lease, datetime | None], float] = {}
        self._answered = -float("inf")

    def ripe(self, mine: Collection[Lease]) -> list[Sighting]:
        """Look, and return what may be taken back now.

        Args:
            mine: leases that this worker holds; it does not take its own jobs back.
        """
        asked = machine.monotonic()
        try:
            rows = self._store.stale(self._lease)
        except Exception:
            self._since.clear()
            raise
        now = machine.monotonic()
        if now - self._answered > GAP * self._lease:
            self._since.clear()
        self._answered = now
        held = set(mine)
        return list(self._unchanged([row for row in rows if row.lease not in held], asked, now))

    def _unchanged(self, rows: list[Sighting], asked: float, now: float) -> Iterable[Sighting]:
        self._since = {(row.lease, row.updated): self._since.get((row.lease, row.updated), now) for row in rows}
        for row in rows:
            if row.is_given_up or asked - self._since[row.lease, row.updated] >= UNCHANGED * self._lease:
                yield row
