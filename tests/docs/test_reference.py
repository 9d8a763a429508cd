"""The reference has everything that there is, and the pages build without a word."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

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


def test_every_hook_has_an_entry(built):
    wanted = {f"densefog_core.hookspecs.{hook.__name__}" for hook in generated.hooks()}
    assert wanted
    assert wanted - anchors(built / "reference" / "hooks.html") == set()


def test_every_setting_has_an_entry(built):
    wanted = {f"confval-{one.name}" for one in generated.settings(APP)}
    assert {"confval-app_root", "confval-wsgi_body_limit"} <= wanted
    assert wanted - anchors(built / "reference" / "settings.html") == set()


def test_every_error_has_an_entry(built):
    wanted = {f"{one.__module__}.{one.__qualname__}" for one in generated.error_classes(APP)}
    assert "densefog_core.errors.project_error.ResourceQuotaNotEnough" in wanted
    assert wanted - anchors(built / "reference" / "errors.html") == set()


def test_every_command_has_an_entry(built):
    wanted = {f"command-{name.replace(' ', '-')}" for name in generated.command_tree(APP)}
    assert {"command-densefog-serve", "command-densefog-jobs-retry"} <= wanted
    assert wanted - anchors(built / "reference" / "commands.html") == set()


def test_every_plugin_that_ships_has_an_entry(built):
    wanted = {f"plugin-{one.name}" for one in generated.shipped()}
    assert "plugin-wsgi" in wanted
    assert wanted - anchors(built / "reference" / "plugins.html") == set()


def test_every_public_name_has_an_entry(built):
    wanted = {
        f"{module}.{name}"
        for module in ("densefog_core", "densefog_plugins.models")
        for name, value in generated.public_names(module)
        if not generated.inspect.ismodule(value)
    }
    assert wanted - anchors(built / "reference" / "api.html") == set()


def test_every_setting_says_what_it_is_for():
    assert [one.name for one in generated.settings(APP) if not one.help.endswith((".", ")"))] == []


def test_every_command_and_option_says_what_it_is_for():
    silent = [
        f"{name} {option.name}"
        for name, command in generated.command_tree(APP).items()
        for option in command.params
        if isinstance(option, click.Option) and option.help is None
    ]
    assert silent == []
    assert [name for name, command in generated.command_tree(APP).items() if not command.help] == []


def test_reading_the_pages_asks_no_other_server(built):
    assert {one for page in _pages(built) for one in _outside(page)} == set()


def _pages(built: Path) -> Iterator[Path]:
    yield from built.rglob("*.html")


def _outside(page: Path) -> set[str]:
    parser = _Anchors()
    parser.feed(page.read_text())
    return parser.outside
