"""What messages tell people to type exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

import densefog_core
import densefog_plugins
from densefog_core.app import App
from densefog_core.cli.main import main
from densefog_core.cli.serve import serve
from densefog_core.config import CORE_SETTINGS, Config

#: Options of other programs that a message may name.
OTHERS = {"--no-deps", "--user", "--proxy-user"}

_option = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


def options(command: click.Command) -> set[str]:
    """Return every option of a command and of those below it."""
    found = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    members = command.commands.values() if isinstance(command, click.Group) else ()
    return found.union(*(options(member) for member in members))


def known() -> set[str]:
    """Return every option of both commands, plugins' commands included."""
    app = App(Config().apply(app_root=".", log_dir="-")).load()
    group = click.Group("densefog", commands=dict(main.commands), params=main.params)
    for _, register in app.plugins.implementations("densefog_register_commands"):
        register(group=group)
    return options(group) | options(serve)


def texts(package: str) -> Iterator[tuple[str, str]]:
    """Yield each text of a package's code, but docstrings, with where it stands."""
    for path in sorted(Path(package).parent.rglob("*.py")):
        tree = ast.parse(path.read_text())
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
                yield f"{path.name}:{node.lineno}", node.value


def test_each_option_that_a_message_names_exists() -> None:
    """A hint that names one that does not exist sends people looking."""
    there = known() | OTHERS
    named = [(where, option) for package in (densefog_core.__file__, densefog_plugins.__file__)
             for where, text in texts(package) for option in _option.findall(text)]  # fmt: skip
    assert len(named) > 20
    assert [one for one in named if one[1] not in there] == []


def test_each_option_that_sets_a_setting_exists() -> None:
    """Of ``densefog-serve``, which all of the settings are for."""
    assert {one.option for one in CORE_SETTINGS} - {""} <= options(serve)
