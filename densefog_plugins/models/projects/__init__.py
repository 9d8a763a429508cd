"""Plugin ``projects``: access keys that authenticate calls, and the projects that they belong to.

It does nothing until ``projects_enabled`` is set. Then every call needs a key: those of API ``manage`` one that was
made for it, those of the others one of a project, which handlers see as ``request.project_id``. The first key comes
from the command line: ``densefog projects create-key --manage``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    import click

    from densefog_plugins.models.quotas import consume_quota, release_quota

__all__ = ["consume_quota", "release_quota"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import the public names when they are first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("densefog_plugins.models.quotas"), name)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare who is asked for a key, and where it is looked for."""
    for name, kind, default, minimum, text in (
        ("enabled", bool, False, None, "Refuse calls without a valid access key."),
        ("manage_apis", list, ["manage"], None, "APIs that need a key made for managing, and none of a project."),
        ("key_header", str, "X-Le-Key", None, "Header with the id of the access key."),
        ("secret_header", str, "X-Le-Secret", None, "Header with its secret, in requests that are not signed."),
        ("window", int, 300, 1, "Seconds that a signed request's date may differ from this machine's time."),
    ):
        name = f"projects_{name}"
        config.declare(Setting(name=name, plugin="projects", type=kind, default=default, minimum=minimum, help=text))


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Take part in calls only when that is asked for."""
    if not config.projects_enabled:
        return []
    from densefog_plugins.models.projects.part import Projects

    return [Projects(config)]


@hookimpl
def densefog_register_commands(group: click.Group) -> None:
    """Add ``densefog projects``."""
    from densefog_plugins.models.projects.commands import projects

    group.add_command(projects)


@hookimpl
def densefog_tables() -> Iterable[Any]:
    """Return the tables of projects, keys and nonces."""
    from densefog_plugins.models.projects.tables import TABLES

    return [model.__table__ for model in TABLES]
