"""What a store has to do for jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from densefog_core.jobs.records import Job, JobFilter, Lease, Outcome, Sighting
from densefog_core.jobs.searches import CAP, LOOK, FailedJob, JobSearch, JobsFound

if TYPE_CHECKING:
    from densefog_core.flow.pauses import PauseStore
    from densefog_core.flow.steps import StepStore


class JobStore(Protocol):
    """Where jobs are kept. ``models`` has it in SQL, ``densefog_core.testing`` in memory; one suite tests both.

    Every write for a running job is fenced: it names the lease and changes nothing when the row is no longer
    running under that token.
    """

    #: Called after jobs that are due now were committed, to wake workers; set by the application.
    on_enqueued: Callable[[], None]
    #: ``on_last_failure`` by action, set by the application: called for a job that ends as an error, within the
    #: transaction that ends it, so that what it writes and the job's row commit together or not at all. What one raises
    #: is logged, and undone alone.
    last_failures: Mapping[str, Callable[[Job], object]]

    @property
    def steps(self) -> StepStore:
        """Where the steps of jobs are; they go with their jobs in `prune`."""

    @property
    def pauses(self) -> PauseStore:
        """What `claim` leaves alone for a while."""

    def init(self) -> list[str]:
        """Create what is missing and say in a line each what was done."""

    def check(self) -> list[str]:
        """Return a warning for what works but should be better, such as a missing index.

        Raises:
            StartupError: unreachable, or a table or column is missing; names it and the command to run.
        """

    def enqueue(self, jobs: Sequence[Job], session: Any = None) -> list[str]:  # noqa: ANN401
        """Insert ``jobs`` in ``session``, in the caller's open transaction, or in one of its own.

        A job whose id is there already is left as it is: that makes keys idempotent.

        Returns:
            Their ids, in order.
        """

    def claim(self, limit: int, actions: Collection[str], name: str = "") -> list[Job]:
        """Take up to ``limit`` due jobs of these actions, oldest ``run_at`` first; each has its new ``trys``.

        What is paused is left alone.

        Args:
            limit: jobs.
            actions: names.
            name: of this claim, kept with its jobs while they run, so that `give_back` finds them; at most 16
                characters.
        """

    def give_back(self, names: Collection[str]) -> list[Lease]:
        """Put running jobs back to pending that were taken by claims of these names; it costs them no try.

        For claims whose answer was lost: nobody runs what they took.

        .. versionadded:: 1.0
        """

    def beat(self, leases: Sequence[Lease], *, native: bool = False) -> list[Lease]:
        """Renew the leases and return those that are lost.

        Args:
            leases: of tries that were claimed here.
            native: called from a native thread: it must use a connection of its own, which it keeps, and nothing that
                belongs to the hub.
        """

    def finish(self, outcomes: Sequence[Outcome], *, native: bool = False) -> list[bool]:
        """Write the outcomes in one transaction; False for each one that the fence refused.

        An ``unsure`` outcome that is refused counts as written when its row says so: an earlier attempt did it.

        Args:
            outcomes: of tries that were claimed here.
            native: called from a native thread; see `beat`. Nothing of the application can be called there: a job
                whose last try has failed keeps its error and stays running without a lease; `reclaim` ends it.

        Raises:
            ValueError: an outcome can never be stored, whatever the state of the database.
        """

    def progress(self, lease: Lease, value: Any) -> bool:  # noqa: ANN401
        """Write ``value`` to the running job's result; False when the lease is lost."""

    def stale(self, lease_seconds: float, limit: int = 10_000) -> list[Sighting]:
        """Return the running jobs whose last beat is older than half a lease, or a lease ahead of the store's clock.

        It changes nothing. Who means to take them back watches them first; see `reclaim`.

        .. versionadded:: 1.0
        """

    def reclaim(self, seen: Sequence[Sighting], lease_seconds: float) -> list[Job]:
        """Take back running jobs whose rows still are as they were seen.

        The statement compares with the row as it was read, not with the time: one that was sent before the store
        stood still may be executed after it.

        Args:
            seen: what `stale` returned, and what has not changed for long enough.
            lease_seconds: within this time a job is due again that loses a worker once more.

        Returns:
            The jobs as they stand now: ``pending`` again, at once after the first try, later after another one; or
            ``error`` when their tries are used up. Those of an ``unsure`` sighting, too, that have ended so.
        """

    def unhandled(self, actions: Collection[str]) -> list[str]:
        """Return the actions of due pending jobs that are not among ``actions``."""

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None."""

    def page(self, which: JobFilter) -> tuple[Sequence[Job], int]:
        """Return one page of jobs, by creation, and how many there are in all."""

    def find(self, which: JobSearch, limit: int, look: int = LOOK) -> JobsFound:
        """Return up to ``limit`` jobs of a search, which looks at ``look`` jobs of the status at most."""

    def count(self, which: JobSearch, cap: int = CAP, look: int = LOOK) -> int:
        """Return how many jobs a search has, ``cap`` at most; with filters, of the first ``look`` of the status."""

    def failures(self, look: int = LOOK) -> Sequence[FailedJob]:
        """Return the newest ``look`` failed jobs, the latest ``run_at`` first."""

    def retry(self, job_ids: Sequence[str], from_step: str | None = None) -> list[str]:
        """Put ended jobs back to pending, due now, with one more try allowed; return the ids it did that for.

        Jobs whose params had secrets are left alone: what is stored would hand the mask to the handler as the secret.

        Args:
            job_ids: which.
            from_step: a step that is forgotten in the same transaction, with those after it; a job that has none of
                this name keeps its steps.
        """

    def cancel(self, job_ids: Sequence[str]) -> list[Job]:
        """End pending and running jobs as error ``cancelled``; return the ones it ended."""

    def run_now(self, job_ids: Sequence[str]) -> list[str]:
        """Make pending jobs due now; return the ids it did that for."""

    def stats(self) -> dict[str, Any]:
        """Return ``{"jobs": [{"action", "status", "count"}], "oldest_pending_seconds": float | None}``."""

    def oldest_due(self) -> float | None:
        """Return for how many seconds the oldest due job has waited, or None when nothing is due."""

    def prune(self, older_than: float, limit: int = 500) -> int:
        """Delete up to ``limit`` ended jobs last written ``older_than`` seconds ago; return how many."""

    def close(self) -> None:
        """Give back connections."""
