"""The cause of a failure: what errors of one kind have in common, whatever resource each is about.

.. versionadded:: 1.0
"""

from __future__ import annotations

import hashlib
import re

#: Characters of an error's first line that are looked at.
MAX_LINE = 500
#: Hexadecimal digits of a cause.
LENGTH = 12

_VARYING = re.compile(
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"  # a UUID
    r"|\b([a-z][a-z0-9]{0,15}-)(?=[A-Za-z0-9]{0,39}[0-9A-Z])[A-Za-z0-9]{6,40}\b"  # an id: vol-8NkZQZ6u
    r"|\b0x[0-9a-fA-F]{1,40}\b|\b(?=[a-fA-F]{0,39}[0-9])[0-9a-fA-F]{8,40}\b"
    r"|[0-9]{1,40}"
)


def cause_text(error: str) -> str:
    """Return the first line of an error with ids, UUIDs, hexadecimal and other numbers as ``*``.

    Args:
        error: the text of the column ``error``.
    """
    line = error[:MAX_LINE].partition("\n")[0].strip()
    return _VARYING.sub(lambda found: f"{found[1] or ''}*", line)


def cause_of(action: str, error: str) -> str:
    """Return the cause of a failed job, 12 hexadecimal digits; jobs of one action with the same one failed alike.

    Args:
        action: the job's action.
        error: its error.
    """
    return hashlib.sha256(f"{action}\0{cause_text(error)}".encode(errors="replace")).hexdigest()[:LENGTH]
