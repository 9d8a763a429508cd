"""Settings that nobody declares stop start-up, and so do those of a plugin that is not loaded."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core import hookimpl, require
from densefog_core.app import App
from densefog_core.config import Config, Setting
from densefog_core.errors import ConfigError, PluginError, StartupError
from densefog_core.plugins.discovery import PLUGINS, Found
from densefog_core.plugins.strays import check_settings

Load = Callable[..., App]


class Pager:
    """A plugin with two settings, which needs a package when it has the modules of a machine that lacks it."""

    @hookimpl
    def densefog_configure(self, config: Config) -> None:
        """Declare, and then look for the package."""
        config.declare(Setting(name="pager_url", plugin="pager", env=("PAGER_URL",)))
        config.declare(Setting(name="pager_enabled", plugin="pager", default=False))
        require("no_such_package", extra="pager[all]")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load everything that is installed, with a file of these lines."""

    def load(text: str = "", **settings: object) -> App:
        path = tmp_path / "densefog.toml"
        path.write_text(text)
        return App(Config().load_file(path).apply(app_root=str(tmp_path), log_dir="-", **settings)).load()

    return load


def pager(monkeypatch: pytest.MonkeyPatch) -> list[Found]:
    """Return the entry point of `Pager`."""
    monkeypatch.setitem(sys.modules, "pager", Pager())
    return [Found(PLUGINS, "pager", "pager", "pager", "1.0")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pik_size = 3", "unknown setting 'pik_size' (FILE); did you mean 'pick_size'?"),
        ("Debug = true", "unknown setting 'Debug' (FILE); did you mean 'debug'?"),
        ("region = 'east'", "unknown setting 'region' (FILE); what is the application's own stands below [app]"),
        ("[plugins.projects]\nenabeld = true",
         "unknown setting 'enabeld' ([plugins.projects] of FILE); did you mean 'enabled'?"),
        ("[plugins.projcts]\nenabled = true",
         "unknown setting 'enabled' ([plugins.projcts] of FILE); did you mean '[plugins.projects]'?"),
        ("[projects]\nenabled = true", "unknown setting 'projects' (FILE); did you mean [plugins.projects]?"),
        ("[plugins.sms]\ndebug = true", "unknown setting 'debug' ([plugins.sms] of FILE); it belongs above the first"),
        ("[plugin.slack]\nrate = 1", "unknown setting 'plugin' (FILE)"),
    ],
)  # fmt: skip
def test_an_unknown_key_of_the_file_is_refused(load: Load, tmp_path: Path, text: str, words: str) -> None:
    """With where it stands, and with the nearest name that there is."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert words.replace("FILE", str(tmp_path / "densefog.toml")) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_variable_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that begin as densefog's own; the rest of the environment is not its business."""
    monkeypatch.setenv("WORKER_PIK_SIZE", "3")
    load()
    monkeypatch.setenv("DENSEFOG_PIK_SIZE", "3")
    with pytest.raises(ConfigError, match=r"'DENSEFOG_PIK_SIZE' .environment.; did you mean 'DENSEFOG_PICK_SIZE'"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DENSEFOG_KEY", "k"), ("DENSEFOG_TEST_TRACE", "f"), ("DENSEFOG_NOTHING", ""),
        ("DENSEFOG_PORT", "tcp://10.0.0.1:8080"), ("DENSEFOG_API_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("DENSEFOG_SERVICE_HOST", "10.0.0.1"), ("DENSEFOG_API_SERVICE_PORT_HTTP", "8080"),
    ],
)  # fmt: skip
def test_variables_that_are_no_settings_are_left_alone(
    load: Load, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Those of commands and tests, empty ones, and those that Kubernetes sets for a Service of that name."""
    monkeypatch.setenv(name, value)
    load()


def test_all_is_named_at_once_and_many_are_counted(load: Load) -> None:
    """Nobody wants to start ten times to find ten mistakes."""
    with pytest.raises(ConfigError, match=r"'a1'.*'a2'.*'a5'.*; and 2 more \(--allow-unknown-settings starts"):
        load("\n".join(f"a{number} = 1" for number in range(1, 8)))


def test_unknown_settings_can_be_allowed(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """For the time of an upgrade; then they are logged."""
    with caplog.at_level(logging.WARNING):
        load("pik_size = 3\nallow_unknown_settings = true")
    assert "unknown setting 'pik_size'" in caplog.text


def test_settings_of_a_disabled_plugin_are_no_strangers(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not imported, so nobody knows what it would declare; it will be back."""
    monkeypatch.setenv("DENSEFOG_SLACK_ANYTHING", "1")
    load('disabled_plugins = ["slack"]\n[plugins.slack]\nwebhook_url = "https://x"\nwhatever = 1')


def test_each_channels_own_settings_are_declared_with_it(load: Load) -> None:
    """Not only when a worker starts: an API reads the same file."""
    assert load("[plugins.log]\ntopics = ['lost']\nrate = 7").config.log_rate == 7


@pytest.mark.parametrize("variable", ["PAGER_URL", "DENSEFOG_PAGER_URL"])
def test_a_plugin_that_is_unavailable_while_it_is_set_up_stops(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Otherwise nobody would be told of failures, and no line would say so."""
    found = pager(monkeypatch)
    assert App(Config()).load(found=found).plugins.records[0].state == "unavailable"
    monkeypatch.setenv(variable, "https://x")
    with pytest.raises(PluginError) as caught:
        App(Config()).load(found=found)
    assert str(caught.value) == (
        f"pager_url is set (environment {variable}), but plugin 'pager' of pager 1.0 is unavailable: "
        "needs the package no_such_package: pip install 'pager[all]'"
    )


@pytest.mark.parametrize("variable", ["DENSEFOG_PAGER_URL", "DENSEFOG_PAGER_ANY_OTHER_NAME"])
def test_so_does_one_whose_import_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    """What it would have declared begins with its name."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pager.py").write_text("from densefog_core import require\nrequire('no_such_package', extra='x')\n")
    found = [Found(PLUGINS, "pager", "pager", "pager", "1.0")]
    monkeypatch.setenv(variable, "https://x")
    with pytest.raises(PluginError, match=f"is set .environment {variable}., but .* is unavailable: needs"):
        App(Config()).load(found=found)


@pytest.mark.parametrize("value", ["", "false", "0"])
def test_one_that_is_switched_off_is_not_missed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Whoever says that it is off does not wait for it."""
    monkeypatch.setenv("DENSEFOG_PAGER_ENABLED", value)
    App(Config()).load(found=pager(monkeypatch))


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.dictionaries(st.text(), st.integers()), max_size=9))
def test_whatever_the_file_holds_the_answer_is_one_line(keys: dict[str, object]) -> None:
    """Names of keys are whatever somebody has typed: a message shows them without control characters."""
    config = Config()
    config._file, config._file_name = {**keys, "plugins": {"sms": dict(keys)}}, "densefog.toml"
    try:
        check_settings(config, [], complete=True)
    except StartupError as exc:
        assert str(exc).isprintable()
