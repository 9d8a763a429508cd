"""New jobs: checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from densefog_core import jsontext
from densefog_core.actions.params.leaves import largest, unstorable
from densefog_core.actions.records import Request
from densefog_core.context import current_scope
from densefog_core.errors import JobRefused
from densefog_core.ids import SYSTEM_PROJECT, new_id
from densefog_core.jobs.handlers import JobSpec, wrong
from densefog_core.jobs.records import KEYED_CHARS, MAX_PROJECT, MAX_TEXT, Job, utcnow
from densefog_core.jobs.sealed import Vault
from densefog_core.redact import HIDDEN, holds_secret
from densefog_core.registry import did_you_mean
from densefog_core.sealing import Cipher


def new_job(
    specs: Mapping[str, JobSpec],
    action: str,
    params: Mapping[str, Any] | None = None,
    *,
    project_id: str | None = None,
    run_at: datetime | timedelta | None = None,
    try_period: int | None = None,
    try_max: int | None = None,
    key: str | None = None,
    beside: Mapping[str, Any] | None = None,
    cipher: Callable[[], Cipher | None] = lambda: None,
) -> Job:
    """Build and check the record of a new job; see `densefog_core.enqueue`.

    Args:
        specs: the handlers by action.
        beside: what plugins add to the params; it is stored as it is.
        cipher: returns what seals the params of an encrypted job.
    """
    spec = specs.get(action)
    if spec is None:
        hint = did_you_mean(action, specs)
        raise JobRefused(f"no installed package handles job {action!r}{hint}; nothing is enqueued")
    stored = _storable(spec, dict(params or {}), beside or {}, Vault(cipher, seals=spec.encrypted))
    tries = spec.try_max if try_max is None else try_max
    period = spec.try_period if try_period is None else try_period
    if why := wrong("try_max", tries) or wrong("try_period", period):
        raise JobRefused(f"job {action!r}: {why}")
    project = project_id or _current_project()
    if len(project) > MAX_PROJECT:
        raise JobRefused(f"job {action!r}: project_id {project!r} has more than {MAX_PROJECT} characters")
    now = utcnow()
    return Job(
        id=new_id("job-") if key is None else keyed_id(action, key),
        action=action,
        params=stored,
        project_id=project,
        try_max=tries,
        try_period=period,
        run_at=_start(action, now, run_at),
        created=now,
        updated=now,
    )


def keyed_id(action: str, key: str) -> str:
    """Return the job id that belongs to an idempotency key: the same for the same action and key, 30 characters."""
    import base64
    import hashlib

    digest = hashlib.sha256(f"{action}\0{key}".encode()).digest()
    return "job-" + base64.b32encode(digest).decode()[:KEYED_CHARS].lower()


def _storable(spec: JobSpec, params: dict[str, Any], beside: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    """Return params as they are stored.

    Raises:
        JobRefused: they are not JSON, do not fit the handler's type, hold a secret that is not encrypted, or are too
            large.
    """
    action = spec.action
    try:
        stored = {**(vault.sealed_params(params) if vault.seals else params), **beside}
        text = jsontext.dumps(stored)
        # What does not come back from the table would reach the handler as something else.
        plain = jsontext.loads(text)
        if vault.seals:
            plain = jsontext.loads(jsontext.dumps_revealed(params))
    except (TypeError, ValueError, RecursionError) as exc:
        raise JobRefused(f"job {action!r}: its params are not JSON ({exc}); nothing is enqueued") from None
    if not vault.seals and HIDDEN in text and holds_secret(params):
        raise JobRefused(
            f"job {action!r}: its params hold a Secret, which would be stored as {HIDDEN}; declare it "
            "encrypted=True, or pass .reveal()"
        )
    if spec.typed and (why := spec.typed.misfit(plain)):
        raise JobRefused(f"job {action!r}: its params do not fit {why}; nothing is enqueued")
    _check_size(action, len(text.encode()))
    return stored


def _check_size(action: str, size: int) -> None:
    if size > MAX_TEXT:
        _refuse_large_request()
        raise JobRefused(
            f"job {action!r}: its params have {size} bytes and the column holds {MAX_TEXT}; "
            "store the data elsewhere and pass its id"
        )


def _refuse_large_request() -> None:
    """Raise when it is what the caller sent that is too large for a job's params."""
    scope = current_scope()
    if isinstance(scope, Request) and 2 * len(scope.body) > MAX_TEXT and (found := largest(scope.params)):
        raise unstorable(found[0][0])


def _current_project() -> str:
    scope = current_scope()
    return (scope and scope.project_id) or SYSTEM_PROJECT


def _start(action: str, now: datetime, run_at: datetime | timedelta | None) -> datetime:
    """Return what `enqueue` takes as ``run_at`` as naive UTC."""
    try:
        moment = run_at if isinstance(run_at, datetime) else now + (run_at or timedelta())
        utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise JobRefused(f"job {action!r}: run_at {run_at!r} is beyond the calendar") from None
    return utc.replace(microsecond=0)
