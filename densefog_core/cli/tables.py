"""What commands print: a table for people, JSON for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from densefog_core import jsontext
from densefog_core.printable import in_json, one_line

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON for programs.")


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, json_output: bool) -> None:
    """Print ``rows``: all of their members as JSON, or ``columns`` of them as a table."""
    if json_output:
        echo_json(list(rows))
        return
    lines = [[heading(column) for column in columns]]
    lines += [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for number, line in enumerate(lines):
        text = "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 else text)


def echo_json(value: object) -> None:
    """Print JSON for programs, which people may look at on a terminal."""
    click.echo(in_json(jsontext.dumps(value, pretty=True)))


def show_one(row: Mapping[str, Any], *, json_output: bool) -> None:
    """Print one object: as JSON, or a line for each member."""
    if json_output:
        echo_json(row)
        return
    width = max(map(len, row), default=0)
    for name, value in row.items():
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {cell(value)}")


def heading(name: str) -> str:
    """Return what a table calls a column: ``declaredBy`` is ``DECLARED BY``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).upper()


def cell(value: object) -> str:
    """Return a value as a table shows it: in one line that a terminal only shows."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return one_line(", ".join(value))
    return one_line(jsontext.dumps(value).strip('"'))


