"""Plugin ``quotas``: how many of something a project may have, counted in the caller's transaction.

It needs nothing of a project but its id, so that it works with an application's own projects and keys: set
``quotas_enabled``. With ``projects_enabled`` quotas are counted in any case.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_plugins.models.quotas.counting import consume_quota, release_quota, set_quota

__all__ = ["consume_quota", "release_quota", "set_quota"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import the public names when they are first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.counting"), name)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare whether quotas are counted, and what holds where none was set."""
    text = "Count quotas of projects that the application keeps itself; with projects_enabled they are always counted."
    config.declare(Setting(name="quotas_enabled", plugin="quotas", type=bool, default=False, help=text))
    text = "Quota of what no quota was set for; -1 is without a limit."
    config.declare(Setting(name="quotas_default", plugin="quotas", type=int, default=-1, minimum=-1, help=text,
                           aliases=("projects_default_quota",)))


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Offer the actions only when quotas are counted."""
    if not (config.quotas_enabled or getattr(config, "projects_enabled", False)):
        return []
    from densefog_plugins.models.quotas.part import Quotas

    return [Quotas(config)]


@hookimpl
def densefog_tables() -> Iterable[Any]:
    """Return the table of quotas."""
    from densefog_plugins.models.quotas.table import Quota

    return [Quota.__table__]
