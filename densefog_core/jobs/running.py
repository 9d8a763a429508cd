"""One try of a job: the handler is called, and its end becomes an outcome."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from densefog_core import jsontext
from densefog_core.context import RunningJob, entered
from densefog_core.errors.table import stack, text_of
from densefog_core.jobs.handlers import JobSpec
from densefog_core.jobs.records import MAX_TEXT, Job, JobShutdown, JobTimeout, LeaseLost, Outcome
from densefog_core.jobs.stores import JobControl
from densefog_core.redact import redact_text

if TYPE_CHECKING:
    from densefog_core.app import App

_logger = logging.getLogger("densefog.jobs")


def run_job(app: App, claimed: Job, control: JobControl) -> Outcome:
    """Run one try of a job and say what became of it; write nothing.

    Args:
        app: whose handlers and hooks to use.
        claimed: the record as the store's ``claim`` returned it.
        control: the worker's part of the job's scope.
    """
    spec = app.job_specs[claimed.action]
    with entered(RunningJob(claimed, control)) as running:
        try:
            result = app.call_job(running, spec.call)
            return Outcome(claimed, "finished", result=storable(result))
        except JobShutdown:
            return Outcome(claimed, "released")
        except LeaseLost as exc:
            return Outcome(claimed, "dropped", error=str(exc), exception=exc)
        except (Exception, JobTimeout, SystemExit) as exc:  # noqa: BLE001 - a handler may raise anything
            which = f"{claimed.action} {claimed.id}"
            _logger.warning("try %d of %d of %s failed\n%s", claimed.trys, claimed.try_max, which, stack(exc))
            return failure(spec, claimed, exc)


def storable(result: object) -> Any:  # noqa: ANN401
    """Return a result as its column takes it and gives it back: what it does not is replaced by a note.

    Raises:
        TypeError: it is not JSON.
        ValueError: it is not JSON that others can read, or contains itself.
    """
    text = jsontext.dumps(result)
    if len(text) > MAX_TEXT or len(text.encode()) > MAX_TEXT:
        return _note(f"the result has {len(text)} characters; the column holds {MAX_TEXT} bytes")
    try:
        jsontext.loads(text)
    except jsontext.InvalidJSON as exc:
        return _note(f"the result is no JSON that can be read again: {exc}")
    return result


def _note(reason: str) -> dict[str, Any]:
    return {"truncated": True, "reason": reason}


def failure(spec: JobSpec, claimed: Job, exc: BaseException) -> Outcome:
    """Return the outcome of a failed try: another one later, or the end."""
    text = redact_text(text_of(exc) or type(exc).__name__)
    if claimed.trys < claimed.try_max:
        return Outcome(claimed, "retry", error=text, exception=exc, delay=spec.delay(claimed))
    return Outcome(claimed, "error", error=text, exception=exc)
