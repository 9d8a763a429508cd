"""What channels are given to send, and what they answer with when they cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from densefog_core.jobs import Job

#: What a channel can ask to be told of.
Topic = Literal["started", "failed", "gave_up", "recovered", "finished", "lost"]
TOPICS: tuple[str, ...] = get_args(Topic)

#: Member of a job's params that says which trace it belongs to, as W3C's ``traceparent``.
TRACEPARENT = "_traceparent"

#: Actions that the title of a digest names; the text has them all.
MAX_NAMED = 5

#: The same for notices of the same failure: topic, action, and `Notification.failure`.
Key = tuple[str, str, str]

_SAID = {"gave_up": "failed in their last try", "lost": "lost", "failed": "failed", "recovered": "recovered"}


class DeliveryError(Exception):
    """A notice could not be delivered; the text holds no address, since an address may hold a token.

    Attributes:
        retry_after: seconds after which the receiver wants it again, or None.
        permanent: whether sending it again is no use.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Count:
    """One line of a digest: how often one failure happened.

    Attributes:
        topic: see `Notification.topic`.
        action: of the jobs.
        failure: see `Notification.failure`.
        count: how often, those that had a notice of their own included.
        job_id: one of the jobs.
    """

    topic: str
    action: str
    failure: str
    count: int
    job_id: str

    def __str__(self) -> str:
        failure = f": {self.failure}" if self.failure else ""
        return f"{self.count} x {self.action} {_SAID.get(self.topic, self.topic)}{failure} (one is {self.job_id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a channel is given to send; secrets are redacted already. Fields may be added.

    Attributes:
        topic: ``failed``, a try failed and another follows; ``gave_up``, the last try failed; ``recovered``, a job
            finished after failed tries; ``lost``, a worker died during the last try; ``started`` and ``finished``;
            ``digest``, a count of what had no notice of its own; ``test``, sent by ``densefog notify test``.
        job: the job's record as the try saw it; of a digest, the last job that it counts.
        error: text of the failure, or the empty string.
        is_last_chance: whether the try was the last one.
        host: name of the machine that the worker runs on.
        failure: exception type and last frame: what makes two failures of an action the same one.
        traceback: the exception's last lines, or the empty string.
        counts: the lines of a digest, the most frequent first.
        seconds: the time that a digest is about.
    """

    topic: Topic | Literal["digest", "test"]
    job: Job
    error: str = ""
    is_last_chance: bool = False
    host: str = ""
    failure: str = ""
    traceback: str = ""
    counts: tuple[Count, ...] = ()
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The same for a notice that is sent twice, so that receivers can tell."""
        return f"{self.topic}:{self.job.id}:{self.job.trys}"

    @property
    def context_id(self) -> str:
        """The id that the job's log lines carry."""
        return self.job.id[-4:]

    @property
    def trace_id(self) -> str:
        """The id of the trace that the job belongs to, or the empty string."""
        parts = str(self.job.params.get(TRACEPARENT, "")).split("-")
        return parts[1] if len(parts) == 4 else ""

    @property
    def key(self) -> Key:
        """What makes it the same notice as another one."""
        return self.topic, self.job.action, self.failure

    @property
    def is_end(self) -> bool:
        """Whether it tells of a job that has ended as an error."""
        return any(topic in ("gave_up", "lost") for topic in (self.topic, *(one.topic for one in self.counts)))

    @property
    def title(self) -> str:
        """One line: what happened to which job."""
        which = f"{self.job.action} {self.job.id}"
        last = ", the last one" if self.is_last_chance else ""
        return {
            "started": f"job {which} started",
            "finished": f"job {which} finished",
            "recovered": f"job {which} finished after {self.job.trys - 1} failed tries",
            "lost": f"job {which} was lost: its worker died in the last try",
            "digest": self._digest_title(),
            "test": f"a test notice from {self.host}",
        }.get(self.topic, f"job {which} failed (try {self.job.trys} of {self.job.try_max}{last})")

    def _digest_title(self) -> str:
        actions: Counter[str] = Counter()
        for one in self.counts:
            actions[one.action] += one.count
        named = ", ".join(f"{action} {count}" for action, count in actions.most_common(MAX_NAMED))
        more = f" and {len(actions) - MAX_NAMED} more actions" if len(actions) > MAX_NAMED else ""
        return f"{actions.total()} notices of jobs in {self.seconds:.0f} s: {named}{more}"

    @property
    def text(self) -> str:
        """The title, and the facts below it."""
        if self.topic == "digest":
            return "\n".join([self.title, f"host: {self.host}", *map(str, self.counts)])
        facts = {
            "project": self.job.project_id, "host": self.host, "context": self.context_id, "trace": self.trace_id,
            "error": self.error,
        }
        return "\n".join([self.title, *(f"{name}: {value}" for name, value in facts.items() if value)])

    @property
    def document(self) -> dict[str, Any]:
        """Everything, as JSON for programs, with the names that ``DescribeJobs`` has."""
        job = self.job
        return {
            "id": self.id,
            "topic": self.topic,
            "title": self.title,
            "text": self.text,
            "host": self.host,
            "contextId": self.context_id,
            "traceId": self.trace_id,
            "isLastChance": self.is_last_chance,
            "error": self.error,
            "failure": self.failure,
            "traceback": self.traceback,
            "job": {
                "jobId": job.id, "action": job.action, "projectId": job.project_id, "resourceIds": job.resource_ids,
                "trys": job.trys, "tryMax": job.try_max, "created": job.created,
            },
            "counts": [
                {"topic": one.topic, "action": one.action, "failure": one.failure, "count": one.count,
                 "jobId": one.job_id}
                for one in self.counts
            ],
            "seconds": round(self.seconds, 1),
        }


@runtime_checkable
class Channel(Protocol):
    """Sends notices somewhere, in a thread of its own."""

    @property
    def topics(self) -> Iterable[str]:
        """The topics that it wants unless ``<name>_topics`` says otherwise."""

    def send(self, notification: Notification) -> str | None:
        """Send one notice; return what the service answered, for ``densefog notify test``, or None.

        Raises:
            DeliveryError: it was not delivered; it is sent again unless the error is ``permanent``. An ``OSError``
                is taken for a temporary one, whatever else is raised for a permanent one.
        """
