"""Steps of a job: each is done once, however often the job is tried.

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from densefog_core import jsontext
from densefog_core.errors import StepRefused
from densefog_core.jobs.records import MAX_TEXT, Job, Lease, LeaseLost
from densefog_core.jobs.sealed import Vault
from densefog_core.printable import one_line
from densefog_core.redact import holds_secret, redact

#: Characters of a step's name.
MAX_NAME = 200

_REMEDY = "; declare the job encrypted=True"


@dataclass(frozen=True)
class Step:
    """A step that is done.

    Attributes:
        name: of the step, once in each job.
        value: JSON; what its function returned.
        trys: the try that did it.
        created: when it was kept; naive UTC with microseconds.
    """

    name: str
    value: Any
    trys: int
    created: datetime

    def row(self) -> dict[str, Any]:
        """Return the step as operators see it in lists."""
        return {"name": self.name, "try": self.trys, "created": self.created}


class StepStore(Protocol):
    """Where steps are kept; a part of a `densefog_core.jobs.JobStore`."""

    def read(self, job_ids: Collection[str]) -> Mapping[str, Sequence[Step]]:
        """Return the steps of jobs by job id, each in the order in which they were done; jobs without any are left out.

        Where the steps' table is not there, no job has any.
        """

    def keep(self, lease: Lease, name: str, value: Any) -> bool:  # noqa: ANN401
        """Keep a step, in the open transaction of the application if there is one; False when the lease is lost.

        Raises:
            StepRefused: the table of steps is not there.
        """


class Steps:
    """The steps of one try.

    Nothing is read before the first one, and nothing at all by a job's first try.

    Args:
        job: the record as it was claimed.
        store: where its steps are kept.
        vault: how their values are stored.
    """

    def __init__(self, job: Job, store: StepStore, vault: Vault) -> None:
        self._job = job
        self._store = store
        self._vault = vault
        self._kept: dict[str, Any] | None = None if job.trys > 1 else {}
        self._used: set[str] = set()

    def run(self, name: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return the value of a step; see `densefog_core.jobs.RunningJob.step`."""
        if why := _wrong(name):
            raise self._refused(name, why)
        if name in self._used:
            raise self._refused(name, "was used before in this try; give each step a name of its own")
        self._used.add(name)
        if self._kept is None:
            self._kept = {step.name: step.value for step in self._store.read([self._job.id]).get(self._job.id, ())}
        if name in self._kept:
            return self._vault.open(self._kept[name])
        try:
            value = function()
        except BaseException:
            self._used.discard(name)
            raise
        stored = self._storable(name, value)
        if not self._store.keep(self._job.lease, name, stored):
            raise LeaseLost("the job was cancelled, or taken over by another worker")
        return self._vault.open(stored)

    def _storable(self, name: str, value: object) -> Any:  # noqa: ANN401
        """Return a value as it is kept."""
        seals = self._vault.seals
        if not seals and holds_secret(value):
            raise self._refused(name, f"returned a Secret, which is not stored{_REMEDY}")
        try:
            text = jsontext.dumps(self._vault.seal(value) if seals else value)
            plain = jsontext.loads(text)
        except (TypeError, ValueError, RecursionError) as exc:
            raise self._refused(name, f"returned what is not JSON ({exc})") from None
        if (size := len(text.encode())) > MAX_TEXT:
            raise self._refused(name, f"returned {size} bytes, and {MAX_TEXT} are stored; keep the data elsewhere")
        if not seals and redact(plain) != plain:
            raise self._refused(name, f"returned a secret, which is not stored{_REMEDY}")
        return plain

    def _refused(self, name: object, why: str) -> StepRefused:
        return StepRefused(f"step {one_line(str(name)[:MAX_NAME])!r} of {self._job.action} {self._job.id} {why}")


def _wrong(name: object) -> str | None:
    """Return what keeps a name out of every database's column, or None."""
    if not isinstance(name, str) or not name or len(name) > MAX_NAME:
        return f"is no text of 1 to {MAX_NAME} characters"
    # MySQL takes names that differ by spaces at their end for one.
    return None if name == name.rstrip() and name.isprintable() else "ends with a space, or has unprintable characters"
