"""Pauses: jobs of an action, of a project, or all, that no worker begins for a while.

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from densefog_core.errors import RegistrationError
from densefog_core.errors.iaas_error import ActionPaused
from densefog_core.ids import SYSTEM_PROJECT
from densefog_core.printable import one_line
from densefog_core.redact import redact_text
from densefog_core.registry import did_you_mean

if TYPE_CHECKING:
    from densefog_core.actions.handlers import ActionSpec
    from densefog_core.actions.records import Request

#: What pauses every job.
ALL = "all"
#: Characters of what is paused, of who did it, and of why.
MAX_WHAT, MAX_WHO, MAX_WHY = 100, 100, 200


def whats(actions: Iterable[str] = (), projects: Iterable[str] = (), *, everything: bool = False) -> list[str]:
    """Return how pauses of these actions and projects, or of all jobs, are called."""
    named = [*(f"action {name}" for name in actions), *(f"project {name}" for name in projects)]
    return [ALL, *named] if everything else named


@dataclass(frozen=True)
class Pause:
    """Jobs that wait until somebody resumes them, or until a time.

    Attributes:
        what: ``action CreateVolumes``, ``project acme`` or ``all``.
        who: the id of the access key that asked for it, or ``cli:`` and a user.
        why: for people, in one line.
        until: when it ends by itself, or None; naive UTC.
        at: when it began; naive UTC.
    """

    what: str
    who: str
    why: str
    until: datetime | None
    at: datetime

    def row(self) -> dict[str, Any]:
        """Return the pause as operators see it in lists."""
        return {"what": self.what, "who": self.who, "why": self.why, "until": self.until, "at": self.at}


class Pauses:
    """The pauses that are in force.

    Args:
        pauses: the same, in any order.
    """

    def __init__(self, pauses: Iterable[Pause] = ()) -> None:
        self._by_what = {pause.what: pause for pause in pauses}
        self.projects = frozenset(what.partition(" ")[2] for what in self._by_what if what.startswith("project "))

    def __bool__(self) -> bool:
        return bool(self._by_what)

    def of(self, action: str, project_id: str | None = None) -> Pause | None:
        """Return what a job of this action and project waits for, or None."""
        asked = (ALL, f"action {action}", f"project {project_id}")
        return next((self._by_what[what] for what in asked if what in self._by_what), None)

    def left(self, actions: Collection[str]) -> Collection[str]:
        """Return those of the actions whose jobs may begin."""
        return [name for name in actions if self.of(name) is None] if self else actions


class PauseStore(Protocol):
    """Where pauses are kept; a part of a `densefog_core.jobs.JobStore`, whose `claim` heeds them."""

    def read(self) -> Sequence[Pause]:
        """Return the pauses that are in force, the oldest first."""

    def current(self) -> Pauses:
        """Return the same as the store's claims know them: at most one `poll_interval` old."""

    def pause(self, pauses: Sequence[Pause]) -> None:
        """Let jobs wait. What is paused already keeps when it began; who, why and until are the new ones."""

    def resume(self, named: Collection[str]) -> list[str]:
        """End pauses, by `Pause.what`; return those that were in force."""


def begin(
    store: PauseStore, jobs: Collection[str], named: Sequence[str], *, who: str, why: str, until: datetime | None,
    now: datetime,
) -> list[Pause]:
    """Pause what is named.

    Args:
        store: where the pauses are kept.
        jobs: the actions that somebody handles.
        named: see `whats`.
        who: see `Pause`.
        why: a reason, which is cut off and freed of secrets.
        until: when it ends by itself.
        now: naive UTC.

    Raises:
        ValueError: nobody handles jobs of an action, or the end has passed; says which.
    """
    for what in named:
        kind, _, name = what.partition(" ")
        if kind == "action" and name not in jobs:
            raise ValueError(f"no installed package handles job {name!r}{did_you_mean(name, jobs)}")
        if len(what) > MAX_WHAT:
            raise ValueError(f"{what[:MAX_WHAT]!r} has more than {MAX_WHAT} characters")
    if until is not None and until <= now:
        raise ValueError(f"{until:%Y-%m-%dT%H:%M:%SZ} has passed")
    told = one_line(redact_text(why))[:MAX_WHY]
    pauses = [Pause(what, who[:MAX_WHO], told, until, now) for what in named]
    store.pause(pauses)
    return pauses


def refusing(spec: ActionSpec, jobs: Collection[str], store: Callable[[], PauseStore]) -> ActionSpec:
    """Return an action that refuses to be called while a job is paused that it enqueues, where it asks for that.

    Args:
        spec: the action.
        jobs: the actions that somebody handles.
        store: returns where the pauses are kept.

    Raises:
        RegistrationError: there is no such job.
    """
    if not spec.refuse_when_paused:
        return spec
    for name in spec.refuse_when_paused:
        if name not in jobs:
            hint = did_you_mean(name, jobs)
            raise RegistrationError(
                f"action {spec.name!r}: refuse_when_paused is about job {name!r}, which nobody handles{hint}; "
                "name the job that it enqueues: refuse_when_paused='...'"
            )
    call: Callable[[Request], Any] = spec.call

    def refuse(request: Request) -> Any:  # noqa: ANN401
        pauses = Pauses(store().read())
        for name in spec.refuse_when_paused:
            if pause := pauses.of(name, request.project_id or SYSTEM_PROJECT):
                raise ActionPaused(spec.name, pause.why, pause.until)
        return call(request)

    return replace(spec, call=refuse)
