"""What takes part in the application when the console is on."""

from __future__ import annotations

import logging
import os
import secrets

from densefog_core import hookimpl
from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.errors import ConfigError

#: Characters that a secret has at least.
SECRET_LENGTH = 32

_logger = logging.getLogger("densefog.console")


class Console:
    """Mounts the console on the APIs that serve it."""

    def __init__(self, config: Config) -> None:
        self._secret = _secret(config)
        self._open = bool(config.console_open)

    @hookimpl
    def densefog_startup(self, app: App) -> None:
        """Add the pages.

        Raises:
            ConfigError: nobody authenticates calls, and ``console_open`` is not set.
        """
        if app.guard is None and not self._open:
            raise ConfigError(
                "console_enabled is set, and no plugin authenticates calls: set projects_enabled too, or console_open "
                "for development"
            )
        from densefog_plugins.console.site import mount

        app.mounts["/console"] = mount(app, secret=self._secret, is_open=app.guard is None)


def _secret(config: Config) -> str:
    secret: str = config.console_secret or ""
    if secret and len(secret) < SECRET_LENGTH:
        raise ConfigError(f"setting console_secret: it has less than {SECRET_LENGTH} characters")
    if secret:
        return secret
    if int(os.environ.get("DENSEFOG_PROCESSES", "1")) > 1:
        raise ConfigError("console_secret is not set: with several processes each would end the others' sessions")
    if not config.console_open:
        _logger.warning("console_secret is not set: sessions end when this process does")
    return secrets.token_hex()
