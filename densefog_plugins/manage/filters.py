"""Which jobs an action is about: by their ids, or by a filter."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from densefog_core import jsontext
from densefog_core.errors.iaas_error import ValidationError
from densefog_core.jobs import JobSearch
from densefog_core.jobs.records import Status

Ids = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=100)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=200, description="Why; it is kept in the operation.")]


class Filter(Struct, kw_only=True):
    """Which jobs of one status."""

    status: Status | None = None
    actions: Ids | None = None
    project_id: Word | None = None
    resource_id: Word | None = None
    cause: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")] | None = None
    error: Word | None = None
    since: datetime | None = None
    until: datetime | None = None


def search(which: Filter, status: Status, as_of: datetime | None = None) -> JobSearch:
    """Return the search of a filter.

    Args:
        which: the filter.
        status: the status to take when the filter has none.
        as_of: jobs that were written later are left out.
    """
    until = min((moment for moment in (naive(which.until), naive(as_of)) if moment is not None), default=None)
    return JobSearch(
        status=which.status or status,
        actions=which.actions,
        project_id=which.project_id,
        resource_id=which.resource_id,
        cause=which.cause,
        error=which.error,
        since=naive(which.since),
        until=until,
    )


def naive(moment: datetime | None) -> datetime | None:
    """Return a time as naive UTC, as the job table holds it."""
    if moment is None or moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return datetime.max if moment.year > 1 else datetime.min


def refusal(path: str, message: str) -> ValidationError:
    """Return the error of one member of a request.

    Args:
        path: JSON pointer to it.
        message: what is wrong with it.
    """
    return ValidationError(f"Illegal request format: {path} {message}", [{"path": path, "message": message}])


def token(place: tuple[datetime, str] | None) -> str | None:
    """Return where a search goes on, as clients give it back."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(jsontext.dumps([place[0].isoformat(), place[1]]).encode()).decode().rstrip("=")


def read_token(text: str | None) -> tuple[datetime, str] | None:
    """Return the place that a token stands for.

    Raises:
        ValidationError: it is not one that a search has given.
    """
    if text is None:
        return None
    try:
        value: Any = jsontext.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        run_at, job_id = value
        if type(job_id) is not str or "\0" in job_id:
            raise ValueError
        return datetime.fromisoformat(run_at).replace(tzinfo=None), job_id
    except (binascii.Error, jsontext.InvalidJSON, TypeError, ValueError):
        raise refusal("/nextToken", "was not issued by this list") from None
