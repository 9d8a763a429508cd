"""One try of a job, as its handler sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from densefog_core import jsontext
from densefog_core.context import Proxy, Scope
from densefog_core.jobs.records import MAX_TEXT, Job
from densefog_core.jobs.sealed import Vault
from densefog_core.redact import redact, secrets_in


class JobSteps(Protocol):
    """The steps of one try; see `densefog_core.flow`."""

    def run(self, name: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401
        """See `RunningJob.step`."""


class JobControl(Protocol):
    """What a worker lends to the handlers that it runs."""

    def steps(self, job: Job, vault: Vault) -> JobSteps:
        """Return the steps of a try that begins, stored as ``vault`` says."""

    def progress(self, job: Job, value: Any) -> None:  # noqa: ANN401
        """Store progress under the fence; raise LeaseLost when the job is not this try's any more."""

    def sleep(self, seconds: float) -> None:
        """Wait without keeping other jobs from running."""


class RunningJob(Scope):
    """One try of a job, as its handler sees it through ``current_job``.

    Attributes:
        job: the job's record as it was claimed; its params are a copy, which the handler may change.
        is_last_chance: whether a failure of this try ends the job.
        context_id: the last 4 characters of the job's id.
        project_id: the job's.
    """

    def __init__(self, job: Job, control: JobControl, vault: Vault | None = None) -> None:
        self.job = replace(job, params=deepcopy(job.params))
        self.is_last_chance = job.trys >= job.try_max
        self.context_id = job.id[-4:]
        self.project_id = job.project_id
        self._control = control
        self._vault = vault or Vault(lambda: None, seals=False)
        self._steps: JobSteps | None = None
        self._named: Collection[str] = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - forwards to the record
        return getattr(self.job, name)

    def open(self) -> None:
        """Open what is sealed of the job, and hide its secrets wherever they turn up from here.

        Raises:
            Unreadable: no key opens it.
        """
        self.job = replace(self.job, params=self._vault.params(self.job.params))
        # Now, for the handler may change its params.
        self._named = set(secrets_in(self.job.params))

    def named_secrets(self) -> Collection[str]:
        """Return the values in its params that only their names tell to be secrets."""
        return self._named

    def storable(self, result: object) -> Any:  # noqa: ANN401
        """Return a result as its column takes it: sealed if the job is encrypted, else without secrets."""
        return self._vault.result(result) if self._vault.seals else storable(result)

    def progress(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Write ``value`` (JSON) to the job's ``result`` while it runs.

        Raises:
            LeaseLost: another worker has taken the job over; stop working on it.
            TypeError, ValueError: it is not JSON.
        """
        self._control.progress(self.job, self.storable(value))

    def step(self, name: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the function returns, as JSON
        """Return what ``function`` returns, which is kept with the job: a later try does not call it again.

        Within a `transaction` the step is kept with what that commits. What the function did and could not keep, since
        the process was killed between both, is done again.

        Args:
            name: of the step, at most 200 characters, once in each try.
            function: does it, and returns JSON of at most 65,535 bytes, without secrets unless the job is
                encrypted.

        Raises:
            LeaseLost: another worker has taken the job over; nothing is kept.
            StepRefused: the name was used before in this try, or the value cannot be kept.

        .. versionadded:: 1.0
        """
        if self._steps is None:
            self._steps = self._control.steps(self.job, self._vault)
        return self._steps.run(name, function)

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` without blocking other jobs; interrupted by timeout, cancel and shutdown.

        A connection that was only read from is given back before.
        """
        for let_go in self._waits:
            let_go()
        self._control.sleep(seconds)


if TYPE_CHECKING:
    current_job: RunningJob
else:
    current_job = Proxy(RunningJob, "job")


def storable(result: object) -> Any:  # noqa: ANN401
    """Return a result as its column takes it and gives it back: what it does not is replaced by a note.

    It is plain JSON, without secrets.

    Raises:
        TypeError: it is not JSON.
        ValueError: it is not JSON that others can read, or contains itself.
    """
    text = jsontext.dumps(result)
    if _too_long(text):
        return _note(f"the result has {len(text)} characters; the column holds {MAX_TEXT} bytes")
    try:
        plain = redact(jsontext.loads(text))
    except jsontext.InvalidJSON as exc:
        return _note(f"the result is no JSON that can be read again: {exc}")
    # A mask may be longer than what it hides.
    return _note("the result is too long without its secrets") if _too_long(jsontext.dumps(plain)) else plain


def _too_long(text: str) -> bool:
    return len(text) > MAX_TEXT or len(text.encode()) > MAX_TEXT


def _note(reason: str) -> dict[str, Any]:
    return {"truncated": True, "reason": reason}
