"""One try of a job: the handler is called, and its end becomes an outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from densefog_core.context import entered
from densefog_core.errors.table import text_of
from densefog_core.jobs.handlers import JobSpec
from densefog_core.jobs.records import Job, JobShutdown, JobTimeout, LeaseLost, Outcome
from densefog_core.jobs.sealed import Vault
from densefog_core.jobs.told import with_answer
from densefog_core.jobs.tries import JobControl, RunningJob
from densefog_core.redact import keep, redact_text
from densefog_core.sealing import Cipher

_logger = logging.getLogger("densefog.jobs")


def run_job(
    spec: JobSpec,
    call: Callable[[RunningJob, Callable[[RunningJob], Any]], Any],
    claimed: Job,
    control: JobControl,
    answer: Callable[[BaseException], str],
    cipher: Callable[[], Cipher | None] = lambda: None,
) -> Outcome:
    """Run one try of a job and say what became of it; write nothing.

    Args:
        spec: its handler.
        call: runs the handler, within what plugins put around it.
        claimed: the record as the store's ``claim`` returned it.
        control: the worker's part of the job's scope.
        answer: returns what tenants read of an exception, or nothing.
        cipher: returns what opens and seals the values of encrypted jobs.
    """
    with entered(RunningJob(claimed, control, Vault(cipher, seals=spec.encrypted))) as running:
        try:
            running.open()
            result = call(running, spec.call)
            return Outcome(claimed, "finished", result=running.storable(result))
        except JobShutdown:
            return Outcome(claimed, "released")
        except LeaseLost as exc:
            return Outcome(claimed, "dropped", error=str(exc), exception=exc)
        except (Exception, JobTimeout, SystemExit) as exc:
            which = f"{claimed.action} {claimed.id}"
            _logger.warning("try %d of %d of %s failed", claimed.trys, claimed.try_max, which, exc_info=exc)
            keep(exc)
            return failure(spec, claimed, exc, answer(exc))


def failure(spec: JobSpec, claimed: Job, exc: BaseException, answer: str = "") -> Outcome:
    """Return the outcome of a failed try: another one later, or the end.

    Args:
        spec: its handler.
        claimed: the record as it was claimed.
        exc: what ended the try.
        answer: what tenants read of it; nothing when there is no more to say than that it failed.
    """
    text = with_answer(redact_text(text_of(exc) or type(exc).__name__), redact_text(answer))
    if claimed.trys < claimed.try_max:
        return Outcome(claimed, "retry", error=text, exception=exc, delay=spec.delay(claimed))
    return Outcome(claimed, "error", error=text, exception=exc)
