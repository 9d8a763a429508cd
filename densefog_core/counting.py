"""Counts that all processes of a service share."""

from __future__ import annotations

from typing import Protocol


class Counter(Protocol):
    """Counts across processes; a plugin makes it in ``densefog_make_counter``."""

    def add(self, key: str, lifetime: float) -> int:
        """Count one more under ``key`` and return how many there are now, in all processes.

        Args:
            key: at most 64 characters.
            lifetime: seconds after which the count may be forgotten.
        """
