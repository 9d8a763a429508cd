"""What is known of an access key beside who it belongs to.

.. versionadded:: 1.0
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key that is in force.

    Attributes:
        kind: ``project``, ``manage``, or ``reader``, which may only call what reads.
        fingerprint: changes when the key's secret does, so that what was begun with the one before ends.
    """

    kind: str
    fingerprint: str


def no_keys(access_key: str) -> KeyState | None:
    """Return what is known of keys where nothing authenticates: nothing."""
    return None
