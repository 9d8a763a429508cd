"""What takes part when quotas are counted."""

from __future__ import annotations

from densefog_core import hookimpl
from densefog_core.actions.handlers import ActionRegistry
from densefog_core.app import App
from densefog_core.config import Config
from densefog_plugins.models.quotas import actions
from densefog_plugins.models.quotas.table import Quota
from densefog_plugins.models.schema import use_tables


class Quotas:
    """Lets operators set quotas, and tenants see theirs."""

    def __init__(self, config: Config) -> None:
        self._manage_apis: list[str] = list(getattr(config, "projects_manage_apis", ["manage"]))

    @hookimpl
    def densefog_register_actions(self, registry: ActionRegistry) -> None:
        """Register the actions for operators, and the one for tenants."""
        registry.add("SetQuota", actions.set_quota, api=self._manage_apis)
        registry.add("DescribeQuotas", actions.describe_quotas, api=self._manage_apis)
        if "public" not in self._manage_apis:
            registry.add("DescribeQuotas", actions.describe_own_quotas, api="public")

    @hookimpl
    def densefog_startup(self, app: App) -> None:
        """Use the table."""
        use_tables(app, Quota)
