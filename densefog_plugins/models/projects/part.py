"""What takes part in calls when projects are enabled."""

from __future__ import annotations

from functools import partial

from densefog_core import hookimpl
from densefog_core.actions import Request
from densefog_core.actions.handlers import ActionRegistry
from densefog_core.app import App
from densefog_core.config import Config
from densefog_plugins.models.projects import actions
from densefog_plugins.models.projects.authentication import Authenticator, key_state
from densefog_plugins.models.projects.readers import readable
from densefog_plugins.models.projects.rotation import check_secrets
from densefog_plugins.models.projects.sealer import sealer
from densefog_plugins.models.projects.tables import TABLES
from densefog_plugins.models.schema import use_tables


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
        """Say that calls are authenticated, and where the id of a key is found in a request."""
        app.guard = "projects"
        app.key_of = self._authenticate.key_of
        for name, header in (("accessKey", "key_header"), ("accessSecret", "secret_header")):
            header = getattr(app.config, f"projects_{header}")
            app.security_schemes[name] = {"type": "apiKey", "in": "header", "name": header}
        app.key_state = partial(key_state, app)
        app.action_wrappers.append(partial(readable, app))
        self._authenticate.start(sealer(app))
        use_tables(app, *TABLES)
        check_secrets(app)

    @hookimpl
    def densefog_authenticate(self, request: Request) -> bool:
        """Find out whose key a request has."""
        self._authenticate(request)
        return True
