"""A server with the console: ``python -m tests.plugins.console.program '{"app_root": ...}'``."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from msgspec import Meta, Struct

import densefog_plugins.console
import densefog_plugins.manage
import densefog_plugins.models
import densefog_plugins.models.operations
import densefog_plugins.models.projects
import densefog_plugins.worker
import densefog_plugins.wsgi
from densefog_core import config, enqueue, hookimpl
from densefog_core.app import App
from densefog_core.current import set_current_app
from densefog_core.server import create_api
from densefog_core.server.serving import serve


class Start(Struct):
    """How many jobs to start, and how each fails."""

    count: Annotated[int, Meta(ge=1, le=1000)] = 1
    error: str = ""
    later: bool = False


def start(params: Start) -> dict[str, Any]:
    """Start jobs."""
    from datetime import timedelta

    from densefog_core.jobs import utcnow

    run_at = utcnow() + timedelta(days=1) if params.later else None
    return {"jobIds": [enqueue("Work", {"error": params.error, "resource_ids": ["vol-8NkZQZ6u"]}, run_at=run_at)
                       for _ in range(params.count)]}  # fmt: skip


def work(params: dict[str, Any]) -> None:
    """Fail as the params say."""
    if params["error"]:
        raise RuntimeError(params["error"])


class Cloud:
    """An action that starts jobs, and the jobs."""

    @hookimpl
    def densefog_register_actions(self, registry: Any) -> None:
        """Register the action on both APIs."""
        registry.add("Start", start, api=("public", "manage"))

    @hookimpl
    def densefog_register_jobs(self, registry: Any) -> None:
        """Register the job."""
        registry.add("Work", work, try_max=1)


PLUGINS = (
    densefog_plugins.wsgi, densefog_plugins.models, densefog_plugins.worker, densefog_plugins.models.operations,
    densefog_plugins.models.projects, densefog_plugins.manage, densefog_plugins.console, Cloud(),
)  # fmt: skip


def main() -> None:
    """Serve until SIGTERM."""
    config.setup(gevent=True).apply(log_dir="-", **json.loads(sys.argv[1]))
    app = App().load(found=[], plugins=PLUGINS)
    set_current_app(app)
    serve(app, [(create_api("manage"), "127.0.0.1", 0)], app.pick(app.workers, "gevent")(app))


if __name__ == "__main__":
    main()
