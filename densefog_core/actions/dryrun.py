"""``dryRun``: asks what a call would do. What cannot be planned is refused; it is never carried out instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from densefog_core.actions.handlers import ActionSpec
from densefog_core.actions.records import Request
from densefog_core.errors.iaas_error import ValidationError

NAME = "dryRun"


def asked(request: Request) -> bool:
    """Take ``dryRun`` out of a request's parameters and return whether it was asked for.

    Raises:
        ValidationError: it is neither true nor false.
    """
    params = dict(request.params)
    given = params.pop(NAME)
    if not isinstance(given, bool):
        raise refusal("must be true or false")
    request.params = params
    return given


def refusal(message: str) -> ValidationError:
    """Return the error of a call that cannot be planned."""
    return ValidationError(f"Illegal request format: {message}", [{"path": f"/{NAME}", "message": message}])


def takes(spec: ActionSpec) -> bool:
    """Return whether an action's parameters have ``dryRun``: a plan's, or the action's own."""
    return NAME in spec.params_schema.get("properties", ())


def reason(spec: ActionSpec) -> str:
    """Return why an action cannot be planned."""
    if not spec.dry_run:
        return f"{spec.name} calls outside and cannot be planned"
    if not spec.effect_known:
        return f"{spec.name} does not declare its effect and cannot be planned"
    return f"{spec.name} cannot be planned: this API has no database of its own"


def refusing(spec: ActionSpec) -> ActionSpec:
    """Return an action that refuses ``dryRun`` unless something plans it."""
    if takes(spec):
        return spec
    call = spec.call

    def refuse(request: Request) -> Any:  # noqa: ANN401
        if NAME in request.params and asked(request):
            raise refusal(reason(spec))
        return call(request)

    return replace(spec, call=refuse)
