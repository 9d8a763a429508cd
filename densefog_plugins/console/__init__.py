"""Plugin ``console``: operators see and steer jobs from a browser, at ``/console/`` of the APIs for operators.

It is off until ``console_enabled`` is set, and needs the extra ``console``. Its pages show what manage actions answer,
and change what manage actions change, with the operator's key.

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Iterable

from densefog_core import hookimpl
from densefog_core.config import Config, Setting
from densefog_core.plugins import require

SETTINGS = (
    Setting(
        name="console_enabled",
        plugin="console",
        type=bool,
        default=False,
        help="Serve the console at /console/ of the APIs for operators.",
    ),
    Setting(
        name="console_open",
        plugin="console",
        type=bool,
        default=False,
        help="Let everybody on this machine in without a key, where nothing authenticates; for development.",
    ),
    Setting(
        name="console_secret",
        plugin="console",
        secret=True,
        help="Signs sessions, 32 characters or more; unset, a process makes its own and its end ends sessions.",
    ),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the settings."""
    for setting in SETTINGS:
        config.declare(setting)


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Serve pages only when that is asked for."""
    if not config.console_enabled:
        return []
    require("jinja2", extra="densefog[console]")
    require("itsdangerous", extra="densefog[console]")
    from densefog_plugins.console.part import Console

    return [Console(config)]
