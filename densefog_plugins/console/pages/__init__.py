"""The pages by address: path below ``/console``, methods, the function that makes it, and its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from densefog_plugins.console.pages import actions, jobs, login, overview, resources, steer, system

GET, BOTH, POST = ("GET",), ("GET", "POST"), ("POST",)

ROUTES: tuple[tuple[str, tuple[str, ...], Callable[..., Any], str], ...] = (
    ("/", GET, overview.show, "overview"),
    ("/live/overview", GET, overview.refresh, "overview"),
    ("/login", BOTH, login.sign_in, "login"),
    ("/logout", POST, login.sign_out, "logout"),
    ("/jobs", GET, jobs.show, "jobs"),
    ("/live/jobs", GET, jobs.refresh, "jobs"),
    ("/jobs/<any('retry', 'cancel', 'run-now'):verb>", GET, steer.ask, "jobs"),
    ("/jobs/<any('retry', 'cancel', 'run-now'):verb>", POST, steer.do, "jobs"),
    ("/jobs/<job_id>", GET, jobs.show_one, "jobs"),
    ("/actions", GET, actions.show, "actions"),
    ("/actions/<api>/<action>", BOTH, actions.explore, "actions"),
    ("/resources", GET, resources.look_up, "resources"),
    ("/resources/<resource_id>", GET, resources.show, "resources"),
    ("/system", GET, system.show, "system"),
    ("/system/test-channel", POST, system.test_channel, "system"),
)
