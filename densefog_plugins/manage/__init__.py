"""Plugin ``manage``: what operators ask of jobs and of the process, as actions of the APIs for operators.

``densefog jobs``, the console and curl call the same actions, so that each change leaves one row in ``operation``: who,
which jobs, and why.

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Iterable

from densefog_core import hookimpl
from densefog_core.config import Config


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Serve the actions on the APIs that operators' keys open."""
    from densefog_plugins.manage.part import Manage

    return [Manage(getattr(config, "projects_manage_apis", ["manage"]))]
