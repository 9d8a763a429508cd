"""Pages ``/healthz`` and ``/readyz``, for load balancers and for what restarts processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl

if TYPE_CHECKING:
    from densefog_core.app import App


@hookimpl
def densefog_startup(app: App) -> None:
    """Add the two pages."""
    from densefog_plugins.health.pages import health_page

    app.pages["/healthz"] = health_page(app, "live")
    app.pages["/readyz"] = health_page(app, "ready")
