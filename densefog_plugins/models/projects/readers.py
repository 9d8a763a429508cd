"""Keys that may only call what reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from densefog_core.actions import Request
from densefog_core.actions.handlers import ActionSpec
from densefog_core.app import App
from densefog_core.errors.project_error import AccessKeyReadOnly
from densefog_plugins.models.projects.tables import READER


def readable(app: App, spec: ActionSpec) -> ActionSpec:
    """Return an action that refuses readers, unless it is declared that it only reads.

    It stands around the action itself, so that calls made in this process pass it, too.
    """
    if spec.effect == "read" and spec.effect_known:
        return spec
    call = spec.call

    def checked(request: Request) -> Any:  # noqa: ANN401 - what the action returns
        if request.access_key is not None and _kind(app, request) == READER:
            raise AccessKeyReadOnly(request.access_key)
        return call(request)

    return replace(spec, call=checked)


def _kind(app: App, request: Request) -> str | None:
    """Return the kind of the caller's key: who calls in this process has named the key, and nobody looked at it."""
    if request.key_kind is None:
        state = app.key_state(request.access_key or "")
        request.key_kind = "" if state is None else state.kind
    return request.key_kind
