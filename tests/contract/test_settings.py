"""The table of settings: names, variables, defaults, and which source wins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import densefog_plugins.slack
import densefog_plugins.sms
from densefog_core.config import CONF, Config
from densefog_core.errors import ConfigError
from densefog_plugins.models.database.database import database_url

#: setting, environment variables, default, and two values as text and as what they mean
TABLE: list[tuple[str, tuple[str, ...], Any, tuple[str, Any], tuple[str, Any]]] = [
    ("app_root", (), None, ("/a", "/a"), ("/b", "/b")),
    ("log_dir", ("LOG_DIR",), None, ("/a", "/a"), ("-", "-")),
    ("debug", ("DEBUG",), False, ("1", True), ("false", False)),
    ("db_host", ("DB_HOST",), None, ("a", "a"), ("b", "b")),
    ("db_port", ("DB_PORT",), 3306, ("1", 1), ("2", 2)),
    ("db_user", ("DB_USER",), None, ("a", "a"), ("b", "b")),
    ("db_password", ("DB_PASSWORD",), None, ("a", "a"), ("b", "b")),
    ("db_database", ("DB_DATABASE",), None, ("a", "a"), ("b", "b")),
    ("db_url", ("DB_URL",), None, ("a", "a"), ("b", "b")),
    ("pick_size", ("WORKER_PICK_SIZE",), 10, ("1", 1), ("2", 2)),
    ("exec_size", ("WORKER_EXEC_SIZE",), 10, ("1", 1), ("2", 2)),
    ("exec_timeout", ("WORKER_EXEC_TIMEOUT",), 600, ("1", 1), ("2.5", 2.5)),
    ("poll_interval", ("WORKER_POLL_INTERVAL",), 2, ("1", 1), ("0.5", 0.5)),
    ("lease", ("WORKER_LEASE",), 60, ("4", 4), ("5", 5)),
    ("drain_timeout", ("DRAIN_TIMEOUT",), 30, ("1", 1), ("0", 0)),
    ("notify_channels", ("NOTIFY_CHANNELS",), None, ("log", ["log"]), ("slack, sms", ["slack", "sms"])),
    ("notify_allow_http", ("NOTIFY_ALLOW_HTTP",), False, ("true", True), ("0", False)),
    ("slack_webhook_url", ("SLACK_WEBHOOK_URL",), None, ("a", "a"), ("b", "b")),
    ("notify_sms_url", ("NOTIFY_SMS_URL", "NOTIFY_SMS_UR"), None, ("a", "a"), ("b", "b")),
    ("notify_sms_key", ("NOTIFY_SMS_KEY",), None, ("a", "a"), ("b", "b")),
    ("notify_sms_secret", ("NOTIFY_SMS_SECRET",), None, ("a", "a"), ("b", "b")),
    ("notify_sms_mobiles", ("NOTIFY_SMS_MOBILES", "NOTIFY_SMS_MOBILE"), None, ("1", ["1"]), ("2,3", ["2", "3"])),
]
every_setting = pytest.mark.parametrize(
    ("name", "variables", "default", "first", "second"), TABLE, ids=[row[0] for row in TABLE]
)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Config]:
    """Returns new settings, with those of the channels, read from a clean environment."""
    for name in [*os.environ]:
        if name.startswith("DENSEFOG_") or any(name in row[1] for row in TABLE):
            monkeypatch.delenv(name)

    def new() -> Config:
        config = Config()
        densefog_plugins.slack.densefog_configure(config)
        densefog_plugins.sms.densefog_configure(config)
        return config

    return new


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@every_setting
def test_its_default(make: Callable[[], Config], name: str, variables: Any, default: Any, first: Any, second: Any):
    assert getattr(make(), name) == default


@every_setting
def test_the_file_wins_over_the_default_the_environment_over_the_file_and_apply_over_all(
    make: Callable[[], Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    name: str, variables: tuple[str, ...], default: Any, first: tuple[str, Any], second: tuple[str, Any],
):  # fmt: skip
    path = tmp_path / "densefog.toml"
    path.write_text(f"{name} = {toml(first[1])}\n")
    assert getattr(make().load_file(path), name) == first[1]
    for variable in variables:
        monkeypatch.setenv(variable, second[0])
        assert getattr(make().load_file(path), name) == second[1]
        assert getattr(make().load_file(path).apply(**{name: first[1]}), name) == first[1]
        assert getattr(make().apply(**{name: first[1]}).load_file(path).setup(), name) == first[1]
        monkeypatch.delenv(variable)


def test_log_path_is_another_name_of_log_dir(make: Callable[[], Config]):
    config = make().apply(log_path="/var/log/cloud")
    assert (config.log_dir, config.log_path) == ("/var/log/cloud", "/var/log/cloud")


def test_any_other_name_becomes_an_attribute(make: Callable[[], Config]):
    values = {"my_cloud": {"regions": [1, 2]}}
    assert make().apply(regions=values).regions is values


@pytest.mark.parametrize(
    ("name", "value"),
    [("lease", 3), ("pick_size", 0), ("exec_size", "many"), ("debug", "perhaps"), ("http_status", "500"),
     ("drain_timeout", -1), ("db_port", "x")],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_the_settings_name(make: Callable[[], Config], name: str, value: Any):
    with pytest.raises(ConfigError, match=f"setting {name}"):
        make().apply(**{name: value})


def test_a_secret_that_does_not_fit_is_not_shown(make: Callable[[], Config], tmp_path: Path):
    config = make()
    assert config.settings["db_password"].secret and config.settings["slack_webhook_url"].secret


class TestDatabase:
    def test_sqlite_in_the_applications_folder_by_default(self, make: Callable[[], Config], tmp_path: Path):
        assert database_url(make().apply(app_root=str(tmp_path))) == f"sqlite:///{tmp_path}/densefog.db"

    def test_mysql_of_the_five(self, make: Callable[[], Config]):
        config = make().apply(db_host="db1", db_user="cloud", db_password="s@crit", db_database="fog")
        assert database_url(config) == "mysql://cloud:s%40crit@db1:3306/fog"

    def test_the_address_wins(self, make: Callable[[], Config]):
        config = make().apply(db_host="db1", db_user="u", db_database="fog", db_url="postgresql+psycopg://u:p@h/d")
        assert database_url(config) == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize("missing", ["app_root", "log_dir"])
@pytest.mark.parametrize("create", ["create_api", "create_worker"])
def test_a_server_that_is_created_needs_its_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, create: str
):
    from densefog_core.server import api as server

    fresh = Config().apply(**{name: str(tmp_path) for name in ("app_root", "log_dir") if name != missing})
    monkeypatch.setattr(server, "CONF", fresh)
    with pytest.raises(ConfigError, match=f"setting {missing} is not set"):
        getattr(server, create)()


def test_the_settings_of_the_process_are_there_from_import_on():
    assert isinstance(CONF, Config)
    assert CONF.pick_size == 10
