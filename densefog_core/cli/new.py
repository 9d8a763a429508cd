"""``densefog new``: writes a package that installs, works and is tested, to be changed into one's own."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from densefog_core.plugins.discovery import ACTIONS, HOME, JOBS, PLUGINS

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

#: What a template's file name ends with, so that no tool takes it for what it becomes.
SUFFIX = ".tmpl"
#: What stands for the module's name in the names of files and folders.
PACKAGE = "package"

#: Characters of a name: with more, the lines of the package become longer than its own linter allows.
MAX_NAME = 40

_name = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]++)*").fullmatch


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be written.

    Attributes:
        description: of the distribution, for its metadata.
        entry_points: groups with what stands in each, with ``$name`` and ``$module``.
    """

    description: str
    entry_points: dict[str, str]


KINDS = {
    "app": Kind(
        "A cloud on densefog: its actions and jobs.",
        {ACTIONS: "$name = $module.actions", JOBS: "$name = $module.jobs"},
    ),
    "channel": Kind("Sends densefog's notices of failed jobs to a service.", {PLUGINS: "$name = $module"}),
    "store": Kind("Keeps the jobs of densefog.", {PLUGINS: "$name = $module"}),
    "middleware": Kind("Stands around the calls of a densefog API.", {PLUGINS: "$name = $module"}),
}


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the package is to be.")
@click.option("--into", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
              help="The folder in which its folder is made (default: the current one).")
def new(name: str, kind: str, into: Path) -> None:
    """Write a package NAME that plugs into densefog, with a test."""
    try:
        folder = write(name, kind, into)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        click.echo(f"wrote {path}")
    click.echo(f"next: cd {folder}; pip install -e '.[test]'; pytest")


def write(name: str, kind: str, into: Path) -> Path:
    """Write a package and return its folder.

    Args:
        name: of the distribution; the module has ``_`` for ``-``.
        kind: one of `KINDS`.
        into: the folder in which its folder is made.

    Raises:
        ValueError: it cannot have that name.
    """
    module = name.replace("-", "_")
    _check(name, module)
    folder = into / name
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    words = _words(name, module, KINDS[kind])
    for path, text in _files(kind):
        target = folder / path.replace(PACKAGE, module)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(text).substitute(words))
    return folder


def _check(name: str, module: str) -> None:
    if not _name(name):
        raise ValueError(f"{name!r} is no name for a package: lower case letters and digits, - between words")
    if len(name) > MAX_NAME:
        raise ValueError(f"the name {name!r} has more than {MAX_NAME} characters")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module == "tests":
        raise ValueError(f"the name {name!r} is taken by Python itself")
    if importlib.util.find_spec(module) is not None:
        raise ValueError(f"the name {name!r} is taken: a module {module} is installed")


def _words(name: str, module: str, kind: Kind) -> dict[str, str]:
    names = {"name": name, "module": module}
    groups = [f"{group} =\n    {Template(line).substitute(names)}" for group, line in kind.entry_points.items()]
    major = int(metadata.version(HOME).partition(".")[0])
    return {
        **names,
        "title": "".join(word.capitalize() for word in module.split("_")),
        "upper": module.upper(),
        "description": kind.description,
        "entry_points": "\n".join(groups),
        "versions": f">= {major}, < {major + 1}",
    }


def _files(kind: str) -> Iterator[tuple[str, str]]:
    """Yield each template's path, without its suffix, and its text."""
    from importlib.resources import files

    templates = files("densefog_core") / "templates"
    for part in ("common", kind):
        yield from _below(templates / part, "")


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield prefix + entry.name.removesuffix(SUFFIX), entry.read_text("utf-8")
