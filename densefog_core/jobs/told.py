"""What a tenant reads of a job's failure.

The column ``error`` has the raw text, for operators. Where the error table has an answer for the exception, that
follows in a line of its own; a failure without one is `FAILED` to tenants, whatever its text says.

.. versionadded:: 1.0
"""

from __future__ import annotations

from densefog_core.jobs.ends import end_of

FAILED = "Action failed."
_MARK = "\n[tenants read: "
#: Characters of the raw text and of the answer; their line must not be cut off by the column.
MAX_RAW, MAX_ANSWER = 10_000, 1_000


def with_answer(raw: str, answer: str) -> str:
    """Return the error of a failed try as the column has it.

    Args:
        raw: what the exception says.
        answer: what the error table makes of it; nothing when it knows no more than that something failed.
    """
    if not answer:
        # A handler's own text must not be taken for an answer.
        return raw.replace(_MARK, _MARK.strip())
    raw = raw[:MAX_RAW].replace(_MARK, _MARK.strip())
    return f"{raw}{_MARK}{' '.join(answer.split())[:MAX_ANSWER]}]"


def told(error: str) -> str:
    """Return what a tenant reads of a job whose column ``error`` has this text."""
    if not error or end_of(error) == "cancelled":
        return error
    _, mark, answer = error.rpartition(_MARK)
    return answer[:-1] if mark and answer.endswith("]") and "\n" not in answer else FAILED
