"""What a plan has seen so far. Those that write without the session's knowledge tell it here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple

from densefog_core.actions.dryrun import refusal
from densefog_core.actions.handlers import ActionSpec

#: Ids of one kind that a plan names.
MAX_IDS = 100
#: Option of statements that were told to the plan already.
TOLD = "densefog_told"


class Quota(NamedTuple):
    """What is taken of a quota."""

    resource: str
    used: int
    want: int
    limit: int


class Entry(NamedTuple):
    """One thing that would be done.

    Attributes:
        what: ``create``, ``change``, ``destroy``, ``other``, ``job`` or ``quota``.
        kind: the table, the job's action, or the quota's resource.
        value: the row's id, a number of rows, or the `Quota`.
    """

    what: str
    kind: str
    value: Any


class Plan:
    """What one call would do.

    Attributes:
        entries: in order; those of a savepoint that was undone are gone.
        marks: how many entries there were when each savepoint began.
        repeated: whether the call was carried out before, under its ``clientToken``.
        refused: why it cannot be planned, once something was tried that cannot be undone.
    """

    def __init__(self, spec: ActionSpec) -> None:
        self.spec = spec
        self.entries: list[Entry] = []
        self.marks: dict[object, int] = {}
        self.repeated = False
        self.refused: Exception | None = None

    def tell(self, what: str, kind: str, value: Any = None) -> None:  # noqa: ANN401
        """Remember what would be done."""
        self.entries.append(Entry(what, kind, value))

    def refuse(self, doing: str) -> Exception:
        """Remember that the call cannot be planned and return the error, which a handler may well catch."""
        self.refused = self.refused or refusal(f"{self.spec.name} {doing} and cannot be planned")
        return self.refused

    def jsonable(self) -> dict[str, Any]:
        """Return the plan as clients see it."""
        made, created = self._created()
        changes = self._ids("change", created)
        destroyed = self._ids("destroy", created)
        if self.spec.effect == "destroy":
            destroyed = {
                kind: list(dict.fromkeys([*destroyed.get(kind, []), *changes.get(kind, [])]))[:MAX_IDS]
                for kind in dict.fromkeys([*destroyed, *changes])
            }
            changes = {}
        plan: dict[str, Any] = {
            "effect": self.spec.effect,
            "create": made,
            "change": changes,
            "destroy": destroyed,
            "quota": self._quotas(),
            "jobs": list(dict.fromkeys(entry.kind for entry in self.entries if entry.what == "job")),
            "other": self._others(),
        }
        return {**plan, "repeated": True} if self.repeated else plan

    def _created(self) -> tuple[dict[str, int], set[tuple[str, Any]]]:
        counts: dict[str, int] = {}
        ids = set()
        for entry in self.entries:
            if entry.what == "create":
                counts[entry.kind] = counts.get(entry.kind, 0) + 1
                ids.add((entry.kind, entry.value))
        return counts, ids

    def _ids(self, what: str, created: set[tuple[str, Any]]) -> dict[str, list[Any]]:
        found: dict[str, dict[Any, None]] = {}
        for entry in self.entries:
            if entry.what == what and (entry.kind, entry.value) not in created:
                found.setdefault(entry.kind, {})[entry.value] = None
        return {kind: list(ids)[:MAX_IDS] for kind, ids in found.items()}

    def _quotas(self) -> dict[str, dict[str, int]]:
        quotas: dict[str, dict[str, int]] = {}
        for entry in self.entries:
            if entry.what == "quota":
                taken: Quota = entry.value
                before = quotas.get(taken.resource, {"used": taken.used, "want": 0, "limit": taken.limit})
                quotas[taken.resource] = {**before, "want": before["want"] + taken.want}
        return quotas

    def _others(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for entry in self.entries:
            if entry.what == "other":
                rows[entry.kind] = rows.get(entry.kind, 0) + entry.value
        return rows


_current: ContextVar[Plan | None] = ContextVar("densefog_plan", default=None)


def current_plan() -> Plan | None:
    """Return the plan that is being made here, or None."""
    return _current.get()
