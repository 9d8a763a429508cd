"""Plans: what a call would do, found out by doing it in a transaction that is rolled back.

Nothing of SQLAlchemy is imported before the first plan; a call that is not planned costs one look into its parameters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from densefog_core.actions import dryrun
from densefog_core.actions.handlers import ActionSpec
from densefog_core.actions.records import Request

_SCHEMA = {"type": "boolean", "description": "Answer what the call would do, and do nothing."}


def plannable(spec: ActionSpec) -> ActionSpec:
    """Return an action that takes ``dryRun``; one that cannot be planned is returned as it is."""
    if not spec.plannable or dryrun.takes(spec):
        return spec
    call = spec.call

    def planned(request: Request) -> Any:  # noqa: ANN401
        if dryrun.NAME not in request.params or not dryrun.asked(request):
            return call(request)
        from densefog_plugins.models.planning.running import run

        return run(request, spec)

    schema = spec.params_schema or {"type": "object"}
    schema = {**schema, "properties": {**schema.get("properties", {}), dryrun.NAME: _SCHEMA}}
    return replace(spec, call=planned, params_schema=schema)
