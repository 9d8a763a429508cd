"""CONF: apply() over environment over densefog.toml over default, checked where a value comes in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core.config import CORE_SETTINGS, Config, Origin, Setting, apply_from, declared_by, entries
from densefog_core.errors import ConfigError


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "densefog.toml"
        path.write_text(text)
        return path

    return write


def test_a_setting_comes_from_the_strongest_source_that_has_it(monkeypatch, toml):
    config = Config()
    assert config.pick_size == 10
    config.load_file(toml("pick_size = 11"))
    assert config.pick_size == 11
    monkeypatch.setenv("WORKER_PICK_SIZE", "12")
    assert config.setup().pick_size == 12
    assert config.apply(pick_size=13).pick_size == 13
    assert config.setup().pick_size == 13


@pytest.mark.parametrize("setting", CORE_SETTINGS, ids=lambda one: one.name)
def test_every_setting_has_help_and_an_environment_variable_of_densefog(setting):
    assert setting.help.endswith(".")
    assert f"DENSEFOG_{setting.name.upper()}" in setting.environment


def test_names_that_nobody_declared_become_attributes():
    assert Config().apply(region="east").region == "east"


def test_a_name_of_the_configuration_itself_is_refused():
    with pytest.raises(ConfigError, match="apply: the name is taken"):
        Config().apply(apply=1)


def test_log_path_is_another_name_for_log_dir():
    config = Config().apply(log_path="/var/log/app")
    assert config.log_dir == config.log_path == "/var/log/app"


def test_paths_become_text():
    assert Config().apply(app_root=Path("/srv")).app_root == "/srv"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pick_size", "many", r"setting pick_size \(given to apply\(\)\): 'many' is not int"),
        ("pick_size", 0, "is less than 1"),
        ("pick_size", 1.5, "is not int"),
        ("pick_size", True, "is not int"),
        ("lease", 3, "is less than 4"),
        ("lease", "inf", "is not float"),
        ("exec_timeout", float("nan"), "is not float"),
        ("debug", "maybe", "is not true or false"),
        ("http_status", "never", "is none of ok, map"),
        ("notify_channels", 5, "is not names separated by commas"),
    ],
)
def test_a_wrong_value_is_refused_where_it_is_given(name, value, message):
    with pytest.raises(ConfigError, match=message):
        Config().apply(**{name: value})


def test_a_wrong_value_in_the_environment_names_the_variable(monkeypatch):
    monkeypatch.setenv("WORKER_PICK_SIZE", "many")
    config = Config()
    for use in (config.setup, config.require):
        with pytest.raises(ConfigError, match=r"environment WORKER_PICK_SIZE"):
            use()
    config.apply(pick_size=3).require()


def test_the_value_of_a_secret_is_not_shown():
    setting = Setting(name="x_secret", type=int, secret=True)
    with pytest.raises(ConfigError) as caught:
        setting.read("hunter2", "given")
    assert "hunter2" not in str(caught.value)


def test_an_empty_environment_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("DB_PORT", "")
    assert Config().db_port == 3306


def test_options_of_a_plugin_stand_in_its_own_table_or_at_the_top(toml):
    setting = Setting(name="slack_webhook_url", plugin="slack")
    config = Config().load_file(toml('[plugins.slack]\nwebhook_url = "https://x"'))
    config.declare(setting)
    assert config.slack_webhook_url == "https://x"


def test_a_plugins_options_must_be_a_table(toml):
    config = Config().load_file(toml("plugins = 1"))
    with pytest.raises(ConfigError, match=r"\[plugins.slack\] must be a table"):
        config.declare(Setting(name="slack_x", plugin="slack"))


def test_a_value_applied_before_its_plugin_declares_it_is_checked_then():
    config = Config().apply(slack_limit="x")
    with pytest.raises(ConfigError, match="slack_limit"):
        config.declare(Setting(name="slack_limit", type=int))


def test_declaring_a_setting_twice_differently_is_refused():
    config = Config()
    config.declare(Setting(name="mine", type=int))
    config.declare(Setting(name="mine", type=int))
    with pytest.raises(ConfigError, match="declared twice"):
        config.declare(Setting(name="mine", type=str))


@pytest.mark.parametrize(("text", "message"), [("a = ", "is not TOML"), (None, "cannot read")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, text, message):
    path = tmp_path / "densefog.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        Config().load_file(path)
    assert str(path) in str(caught.value)


def test_a_setting_without_default_that_is_missing_says_how_to_set_it():
    with pytest.raises(ConfigError, match=r"setting app_root is not set: .*--app-root, or DENSEFOG_APP_ROOT"):
        Config().require("app_root")


def test_an_unknown_setting_suggests_the_closest():
    with pytest.raises(AttributeError, match="did you mean 'pick_size'"):
        _ = Config().pik_size


@pytest.mark.parametrize(
    ("default", "kind"),
    [(None, str), (True, bool), (3, int), (0.5, float), ("x", str), (["a"], list), (("a",), list)],
)
def test_a_settings_type_is_that_of_its_default(default, kind):
    """Unless the declaration says otherwise."""
    assert Setting(name="mine", default=default).type is kind
    assert Setting(name="mine", type=str, default=default).type is str


def test_a_type_that_no_value_can_be_read_as_is_refused_by_name():
    """At once, and not when somebody sets it."""
    with pytest.raises(ConfigError, match="setting mine: its type is dict; it must be one of bool, int"):
        Setting(name="mine", default={})


def test_the_applications_own_keys_stand_in_a_table_of_their_own(toml):
    """They become attributes, as those that are given to `apply` do; what is declared is checked."""
    config = Config().load_file(toml('[app]\nregion = "east"\nsize = "5"\n')).apply(zone="a")
    assert (config.region, config.zone) == ("east", "a")
    config.declare(Setting(name="size", default=1))
    assert config.size == 5


@pytest.mark.parametrize("text", ["[app]\napply = 1", "[app]\n_values = 1", "app = 1"])
def test_the_table_of_the_application_cannot_break_the_configuration(toml, text):
    """Names of the configuration itself are taken."""
    with pytest.raises(ConfigError, match="app"):
        Config().load_file(toml(text))


def test_each_value_says_where_it_comes_from_and_who_declared_it(monkeypatch, toml):
    """A default, the file, the environment, an option, or code."""
    config = Config().load_file(toml("exec_size = 3\n[app]\nregion = 'east'")).apply(pick_size=3)
    monkeypatch.setenv("WORKER_LEASE", "5")
    apply_from(config.setup(), Origin("option"), debug=True)
    with declared_by(config, "plugin 'pager'"):
        config.declare(Setting(name="pager_url"))
    found = {one.name: one for one in entries(config)}
    names = ("poll_interval", "exec_size", "lease", "debug", "pick_size", "region")
    kinds = ["default", "file", "environment", "option", "code", "file"]
    assert [found[name].origin.kind for name in names] == kinds
    assert found["lease"].origin.where == "WORKER_LEASE"
    assert found["exec_size"].origin.where.endswith("densefog.toml")
    declarers = [found[name].declarer for name in ("lease", "pager_url", "region")]
    assert declarers == ["densefog", "plugin 'pager'", "the application"]


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=5), st.sampled_from([",", " , ", ",,"]))
def test_comma_lists_are_split_and_trimmed(names, separator):
    assert Config().apply(notify_channels=separator.join(names)).notify_channels == names


def test_repr_shows_no_values():
    assert "hunter2" not in repr(Config().apply(db_password="hunter2"))
