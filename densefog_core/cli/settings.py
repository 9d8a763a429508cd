"""``densefog settings``: what is set, to what, where, and who reads it."""

from __future__ import annotations

from typing import Any

import click

from densefog_core.app import App
from densefog_core.cli.serve import fail
from densefog_core.cli.tables import as_json, show
from densefog_core.config import CONF, Entry, entries
from densefog_core.errors import StartupError
from densefog_core.redact import HIDDEN, is_secret_key, redact, redact_text


@click.command()
@as_json
@click.option("--changed", is_flag=True, help="Only what is set somewhere, and not by default.")
def settings(json_output: bool, changed: bool) -> None:
    """List every setting: its value, where that comes from, and what declared it.

    Values of secrets are not shown. Exits 78 when a server would not start with these settings.
    """
    app, wrong = App(), None
    try:
        app.load()
    except StartupError as exc:
        wrong = exc
    rows = [_row(one) for one in entries(CONF) if not changed or one.origin.kind != "default"]
    show(rows, ["name", "value", "origin", "declaredBy"], json_output=json_output)
    if wrong is not None:
        fail(wrong, verbose=False)


def _row(one: Entry) -> dict[str, Any]:
    return {
        "name": one.name,
        "value": shown(one),
        "origin": one.origin.kind,
        "where": one.origin.where,
        "declaredBy": one.declarer,
        "help": one.setting.help if one.setting else "",
    }


def shown(one: Entry) -> Any:  # noqa: ANN401
    """Return a setting's value without secrets."""
    is_secret = one.setting.secret if one.setting else is_secret_key(one.name)
    if is_secret and one.value not in (None, "", []):
        return HIDDEN
    return redact_text(one.value) if isinstance(one.value, str) else redact(one.value)
