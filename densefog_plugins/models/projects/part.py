"""What takes part in calls when projects are enabled."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from densefog_core import hookimpl
from densefog_core.actions import Request
from densefog_core.actions.handlers import ActionRegistry
from densefog_core.app import App
from densefog_core.config import Config
from densefog_plugins.models.jobstore.schema import use_tables
from densefog_plugins.models.projects import actions
from densefog_plugins.models.projects.authentication import Authenticator
from densefog_plugins.models.projects.tables import TABLES


class Projects:
    """Authenticates calls and lets operators manage projects and keys."""

    def __init__(self, config: Config) -> None:
        self._authenticate = Authenticator(config)
        self._manage_apis = list(config.projects_manage_apis)

    @hookimpl
    def densefog_register_actions(self, registry: ActionRegistry) -> None:
        """Register the actions for operators."""
        for name, handler in actions.MANAGE.items():
            registry.add(name, handler, api=self._manage_apis)

    @hookimpl
    def densefog_startup(self, app: App) -> None:
        """Say that calls are authenticated."""
        app.guard = "projects"
        use_tables(app, *TABLES)

    @hookimpl(wrapper=True, tryfirst=True)
    def densefog_call_action(
        self, request: Request, handler: Callable[[Request], Any]
    ) -> Generator[None, Any, Any]:
        """Find out who calls, before anybody else sees the call."""
        self._authenticate(request)
        return (yield)
