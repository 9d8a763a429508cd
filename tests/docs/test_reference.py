"""The reference has everything that there is, and the pages build without a word."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

from densefog_core import hookspecs
from densefog_core.cli import main as commands
from densefog_core.errors import BaseIaasException, StartupError
from densefog_core.plugins.markers import PREFIX
from tests.docs.pages import DOCS
from tests.integration.process import ROOT, environment

sys.path.insert(0, str(DOCS / "_ext"))

import generated

APP = generated.shipped_app()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as ``make docs`` builds them; it must have nothing to say."""
    folder = tmp_path_factory.mktemp("docs")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-b", "html", DOCS, folder],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.outside: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.found.add(values.get("id") or "")
        source = values.get("src") or (values.get("href") if tag == "link" else None) or ""
        if re.match(r"(https?:)?//", source):
            self.outside.add(source)


def anchors(page: Path) -> set[str]:
    """Return the ids of a page."""
    parser = _Anchors()
    parser.feed(page.read_text())
    return parser.found


def descendants(error: type[Exception]) -> Iterator[type[Exception]]:
    """Yield a class and all that inherit from it."""
    yield error
    for one in error.__subclasses__():
        yield from descendants(one)


def command_ids(name: str, command: click.Command) -> Iterator[str]:
    """Yield the ids of a command and of those below it."""
    yield f"command-{name.replace(' ', '-')}"
    for member, below in getattr(command, "commands", {}).items():
        if is_ours(below):
            yield from command_ids(f"{name} {member}", below)


def is_ours(command: click.Command) -> bool:
    """Return whether a command is densefog's, and none that another test has added to the same group."""
    return command.callback is not None and command.callback.__module__.startswith("densefog_")


def test_every_hook_has_an_entry(built):
    wanted = {f"densefog_core.hookspecs.{name}" for name in vars(hookspecs) if name.startswith(PREFIX)}
    assert len(wanted) > 15
    assert wanted - anchors(built / "reference" / "hooks.html") == set()


def test_every_setting_has_an_entry(built):
    wanted = {f"confval-{name}" for name in APP.config.settings}
    assert {"confval-app_root", "confval-wsgi_body_limit"} <= wanted
    assert wanted - anchors(built / "reference" / "settings.html") == set()


def test_every_error_has_an_entry(built):
    known = [one for base in (BaseIaasException, StartupError) for one in descendants(base)]
    wanted = {f"{one.__module__}.{one.__qualname__}" for one in known if one.__module__.startswith("densefog_")}
    assert "densefog_core.errors.project_error.ResourceQuotaNotEnough" in wanted
    assert wanted - anchors(built / "reference" / "errors.html") == set()


def test_every_command_has_an_entry(built):
    wanted = {"command-densefog-serve", "command-densefog-projects-create-key", *command_ids("densefog", commands.main)}
    assert "command-densefog-jobs-retry" in wanted
    assert wanted - anchors(built / "reference" / "commands.html") == set()


def test_every_plugin_that_ships_has_an_entry(built):
    wanted = {f"plugin-{one.name}" for one in generated.shipped()}
    assert "plugin-wsgi" in wanted
    assert wanted - anchors(built / "reference" / "plugins.html") == set()


@pytest.mark.parametrize(
    ("module", "page"),
    [("densefog_core", "api"), ("densefog_plugins.models", "api"), ("densefog_core.testing", "testing")],
)
def test_every_public_name_has_an_entry(built, module, page):
    found = importlib.import_module(module)
    wanted = {f"{module}.{name}" for name in found.__all__ if not inspect.ismodule(getattr(found, name))}
    assert wanted
    assert wanted - anchors(built / "reference" / f"{page}.html") == set()


def test_every_setting_says_what_it_is_for():
    assert [one.name for one in generated.settings(APP) if not one.help.endswith((".", ")"))] == []


def test_every_command_and_option_says_what_it_is_for():
    ours = {name: one for name, one in generated.command_tree(APP).items() if is_ours(one)}
    options = [(name, one) for name, command in ours.items() for one in command.params if isinstance(one, click.Option)]
    assert [f"{name} {one.name}" for name, one in options if not one.help] == []
    assert [name for name, command in ours.items() if not command.help] == []


def test_reading_the_pages_asks_no_other_server(built):
    assert {one for page in _pages(built) for one in _outside(page)} == set()


def _pages(built: Path) -> Iterator[Path]:
    yield from built.rglob("*.html")


def _outside(page: Path) -> set[str]:
    parser = _Anchors()
    parser.feed(page.read_text())
    return parser.outside
