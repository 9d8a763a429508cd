"""``densefog api-diff``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from densefog_core.builtin import openapi_page
from densefog_core.current import get_app
from densefog_core.server import Api
from densefog_plugins.apidiff.actions import NoDocument, diff
from densefog_plugins.apidiff.report import FORMATS

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("api-diff")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE, required=False)
@click.option(
    "--format", "style", type=click.Choice(sorted(FORMATS)), default="text", show_default=True, help="How to say it."
)
def api_diff(old: Path, new: Path | None, style: str) -> None:
    """Say what breaks callers between two documents of an API; exits 1 when something does.

    OLD and NEW are what the API served as /openapi.json. Without NEW, OLD is compared with this application.
    """
    before = _read(old)
    try:
        changes = diff(before, _read(new) if new else _current(before))
    except NoDocument as exc:
        raise click.UsageError(f"{old if new is None else f'{old} or {new}'}: {exc}") from None
    click.echo(FORMATS[style](changes))
    sys.exit(1 if any(change.breaks for change in changes) else 0)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as exc:
        raise click.UsageError(f"{path}: it is not JSON: {exc}") from None
    if not isinstance(content, dict):
        raise click.UsageError(f"{path}: it is no OpenAPI document of densefog: it is no object")
    return content


def _current(old: dict[str, Any]) -> dict[str, Any]:
    """Return the document of this application's API of the same name."""
    name = old.get("x-densefog-api")
    if not isinstance(name, str):
        raise NoDocument("it does not name its API (x-densefog-api)")
    content: dict[str, Any] = json.loads(openapi_page(Api(get_app(), name, debug=False)).body)
    return content
