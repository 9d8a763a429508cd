"""``densefog projects``: the first projects and keys, before there is a key to call the API with."""

from __future__ import annotations

from typing import IO, Any

import click

from densefog_core.cli.tables import as_json, show_one
from densefog_core.current import get_app
from densefog_core.errors import BaseIaasException


@click.group()
def projects() -> None:
    """Create projects and access keys."""


@projects.command()
@click.argument("project_id", required=False)
@click.option("--name", default="", help="For people.")
@as_json
def create(project_id: str | None, name: str, json_output: bool) -> None:
    """Create a project."""
    _prepare()
    from densefog_plugins.models.projects.keys import create_project

    _show({"project_id": _or_fail(create_project, project_id, name).id}, json_output)


@projects.command("create-key")
@click.option("--project", "project_id", help="The key is this project's.")
@click.option("--manage", is_flag=True, help="The key is for the APIs of operators.")
@click.option("--read-only", is_flag=True, help="With --manage: it may only call what reads.")
@click.option("--name", default="", help="For people.")
@click.option("--header-only", "use", flag_value="header", help="It is never used for signatures: a hash is kept.")
@click.option("--signature-only", "use", flag_value="signature", help="Its secret is never sent.")
@click.option("--public-key", type=click.File(), help="File with the public half of the client's Ed25519 key.")
@as_json
def create_key(
    project_id: str | None,
    manage: bool,
    read_only: bool,
    name: str,
    use: str | None,
    public_key: IO[str] | None,
    json_output: bool,
) -> None:
    """Create an access key and print its secret, which cannot be shown again."""
    if manage is (project_id is not None):
        raise click.UsageError("give either --project or --manage")
    _prepare()
    from densefog_plugins.models.projects import keys

    public = None if public_key is None else public_key.read()
    row, secret = _or_fail(keys.create_key, project_id, name=name, read_only=read_only, use=use, public_key=public)
    _show({"access_key": row.id, **({} if public else {"access_secret": secret})}, json_output)


@projects.command("rotate-keys")
def rotate_keys() -> None:
    """Seal the secrets of access keys anew, with the first of secret_keys.

    While it runs, APIs and workers go on. Afterwards the keys that follow the first one can go.
    """
    _prepare()
    from densefog_plugins.models.projects.rotation import rotate

    click.echo(f"{_or_fail(rotate, get_app())} access keys are sealed with the first of secret_keys")


def _prepare() -> None:
    app = get_app()
    from densefog_plugins.models.projects.tables import TABLES
    from densefog_plugins.models.schema import use_tables

    use_tables(app, *TABLES)


def _or_fail(function: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
    try:
        return function(*args, **options)
    except BaseIaasException as exc:
        raise click.ClickException(str(exc)) from None


def _show(row: dict[str, Any], json_output: bool) -> None:
    show_one(row, json_output=json_output)
