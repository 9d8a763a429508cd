"""Plugin ``apidiff``: says what breaks callers between two versions of an API.

.. versionadded:: 1.0
"""

from __future__ import annotations

import click

from densefog_core import hookimpl


@hookimpl
def densefog_register_commands(group: click.Group) -> None:
    """Add ``densefog api-diff``."""
    from densefog_plugins.apidiff.commands import api_diff

    group.add_command(api_diff)
