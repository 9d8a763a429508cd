"""How a job ended as an error, told by the column ``error``: the table has none for it.

A store writes `CANCELLED` and what `lost` returns. It passes what a handler raised through `failed`, which never
returns one of them, so that no exception's text is taken for another end.

.. versionadded:: 1.0
"""

from __future__ import annotations

import re
from typing import Literal

#: ``failed``: the last try failed; ``lost``: a worker died or stalled during it; ``cancelled``: somebody ended the job.
End = Literal["failed", "lost", "cancelled"]

CANCELLED = "cancelled"
_LOST = re.compile(r"worker lost(?:: .*)? (\(try \d+ of \d+\))", re.DOTALL)


def lost(which_try: str, reason: str = "") -> str:
    """Return the error of a job whose worker died or stalled.

    Args:
        which_try: the try that was lost, ``(try 2 of 3)``.
        reason: what the worker could still say.
    """
    return f"worker lost{': ' if reason else ''}{reason} {which_try}"


def failed(text: str) -> str:
    """Return the error of a try that failed with ``text``, marked where it reads like another end."""
    return text if end_of(text) == "failed" else f"failed: {text}"


def end_of(error: str) -> End:
    """Return how a job ended whose error this is."""
    if error == CANCELLED:
        return "cancelled"
    return "lost" if _LOST.fullmatch(error) else "failed"


def is_lost_try(error: str, which_try: str) -> bool:
    """Return whether ``error`` says that the worker of this very try was lost."""
    found = _LOST.fullmatch(error)
    return found is not None and found[1] == which_try
