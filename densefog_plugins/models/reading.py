"""Actions that declare that they only read: their session refuses to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from densefog_core.actions.handlers import ActionSpec
from densefog_core.actions.records import Request


def reading(spec: ActionSpec) -> ActionSpec:
    """Return an action whose session knows, while the handler runs, that it only reads."""
    if spec.effect != "read":
        return spec
    call = spec.call

    def read(request: Request) -> Any:  # noqa: ANN401
        request.read_only = True
        try:
            return call(request)
        finally:
            request.read_only = False

    return replace(spec, call=read)
