"""Pages ``/healthz`` and ``/readyz``, for load balancers and for what restarts processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl
from densefog_core.config import Config, Setting
from densefog_core.settings import READERS

if TYPE_CHECKING:
    from densefog_core.app import App


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare who is told what is wrong."""
    config.declare(
        Setting(name="health_readers", plugin="health", default="manage", choices=READERS,
                help="Who is told of each check; all others learn only whether all are well. Where calls are not "
                     "authenticated, key and manage mean clients on this machine.")
    )


@hookimpl
def densefog_startup(app: App) -> None:
    """Add the two pages."""
    from densefog_plugins.health.pages import health_page

    for path, kind in (("/healthz", "live"), ("/readyz", "ready")):
        app.pages[path] = health_page(app, kind)
        app.outside[path] = health_page(app, kind, detailed=False)
        app.readers[path] = "health_readers"
