"""Values that a running call or job has declared to be secrets: they are hidden wherever they turn up in it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import quote

HIDDEN = "********"

#: Secrets of one call that are looked for; each costs one pass over each text.
MAX_DECLARED = 256
#: A shorter one is part of many words: only as a word of its own it is hidden.
SHORT = 4


class Declares(Protocol):
    """A call or a job that is being worked for."""

    secrets: set[str] | None
    """The values, None as long as there are none."""

    def named_secrets(self) -> Collection[str]:
        """Return what only its name in the parameters tells of; it is hidden in texts, and not in replies."""


#: The call or job that runs here; `densefog_core.context` sets it.
scope: ContextVar[Any] = ContextVar("densefog_scope", default=None)


def declare(value: str) -> None:
    """Remember that ``value`` is a secret of the running call or job."""
    running: Declares | None = scope.get()
    if running is not None and value:
        if running.secrets is None:
            running.secrets = set()
        running.secrets.add(value)


def declared() -> set[str] | None:
    """Return the secrets that the running call or job has declared, or None."""
    running: Declares | None = scope.get()
    return _of_failure.get() if running is None else running.secrets


def known() -> set[str]:
    """Return all secrets of the running call or job: those that it has declared, and those in its parameters."""
    running: Declares | None = scope.get()
    return (declared() or set()).union(() if running is None else running.named_secrets())


#: Where those of a job go whose try has ended: its failure is told of after it.
_KEPT = "__densefog_secrets__"
_of_failure: ContextVar[set[str] | None] = ContextVar("densefog_secrets", default=None)


def keep(error: BaseException) -> None:
    """Let ``error`` carry the secrets of the job that it ended; see `hiding`."""
    if secrets := known():
        setattr(error, _KEPT, secrets)


@contextmanager
def hiding(error: BaseException | None) -> Iterator[None]:
    """Hide, in the block, the secrets that the job had declared that ``error`` ended."""
    token = _of_failure.set(getattr(error, _KEPT, None))
    try:
        yield
    finally:
        _of_failure.reset(token)


def hide_declared(text: str, secrets: set[str] | None = None) -> str:
    """Return ``text`` without the secrets of the running call or job, or those that are given.

    They are found as they are, and as JSON, Python and addresses write them. A text that more than `MAX_DECLARED`
    of them would have to be looked for in is hidden as a whole.
    """
    if not text or not (secrets := known() if secrets is None else secrets):
        return text
    if len(secrets) > MAX_DECLARED:
        return HIDDEN
    # The longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        for written in {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")}:
            if len(written) >= SHORT:
                text = text.replace(written, HIDDEN)
            else:
                text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", HIDDEN, text)
    return text
