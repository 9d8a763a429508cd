"""densefog's core: actions, jobs, errors, notices and the plugins that carry them out."""

from __future__ import annotations

from densefog_core import config, errors
from densefog_core.actions.handlers import action
from densefog_core.actions.params import validate_request
from densefog_core.actions.records import request
from densefog_core.context import get_context_id
from densefog_core.current import enqueue, enqueue_many
from densefog_core.errors import iaas_error, project_error
from densefog_core.jobs import job
from densefog_core.jobs.tries import current_job
from densefog_core.plugins.markers import hookimpl
from densefog_core.plugins.needs import require
from densefog_core.redact import Secret

__all__ = [
    "Secret",
    "action",
    "config",
    "current_job",
    "enqueue",
    "enqueue_many",
    "errors",
    "get_context_id",
    "hookimpl",
    "iaas_error",
    "job",
    "project_error",
    "request",
    "require",
    "validate_request",
]
