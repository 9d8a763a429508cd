"""What the two pages answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from densefog_core import jsontext
from densefog_core.actions import Page
from densefog_core.redact import redact_text

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.server import Api

#: An id that no job has: to look for it is the cheapest question that every store answers.
NOBODY = "job-readiness"


def health_page(app: App, kind: str, *, detailed: bool = True) -> Callable[[Api], Page]:
    """Return the page that answers 200 when every check is well, and 503 when one is not.

    Args:
        app: whose checks are asked.
        kind: ``live`` or ``ready``; see `densefog_core.hookspecs.densefog_health`.
        detailed: whether the page shows each check.
    """

    def page(api: Api) -> Page:
        checks = app.health(kind)
        # A process is not restarted because its database is away: that is a matter of readiness only.
        if kind == "ready" and app.job_specs:
            checks["store"] = _store(app)
        status = HTTPStatus.OK if not any(checks.values()) else HTTPStatus.SERVICE_UNAVAILABLE
        shown: dict[str, Any] = {"status": "ok" if status == HTTPStatus.OK else "not ok"}
        if detailed:
            shown["checks"] = {
                name: "ok" if wrong is None else redact_text(wrong) for name, wrong in sorted(checks.items())
            }
        return Page(jsontext.dumps(shown, pretty=True) + "\n", "application/json", status)

    return page


def _store(app: App) -> str | None:
    try:
        app.store.get(NOBODY)
    except Exception as exc:  # noqa: BLE001 - whatever keeps jobs from being stored is the answer
        return f"the job store does not answer: {type(exc).__name__}"
    return None
