"""A server that cannot start says why in one line, and ends with EX_CONFIG."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import install
from tests.integration.process import SERVE, SUPERVISED, Process, run

EX_CONFIG = 78

Refuse = Callable[..., str]


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """Runs ``densefog-serve``, which must not start, and returns the line that says why.

    The sample cloud, which imports SQLAlchemy, is left out unless a test says otherwise.
    """

    def serve(*arguments: str, **variables: str) -> str:
        given = {"DENSEFOG_DISABLE_PLUGINS": "stratus", **variables}
        ended = run(*SERVE, "--app-root", str(tmp_path), "--port", "0", *arguments, cwd=tmp_path, **given)
        assert ended.returncode == EX_CONFIG, ended.stderr
        assert ended.stdout == ""
        (line,) = ended.stderr.splitlines()
        assert line.startswith("densefog: ")
        return line

    return serve


def test_a_port_that_is_taken(refuse: Refuse):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refuse("api", "--port", port)
    assert f"cannot listen on 127.0.0.1 port {port}" in line and "--port" in line


def test_a_host_that_is_none_of_this_machine(refuse: Refuse):
    assert "cannot listen on 192.0.2.1" in refuse("api", "--host", "192.0.2.1")


def test_no_folder_of_the_application(refuse: Refuse):
    line = refuse("--app-root", "/no/such/folder")
    assert "app_root" in line and "/no/such/folder" in line


def test_log_files_that_cannot_be_written(refuse: Refuse, tmp_path: Path):
    (tmp_path / "file").touch()
    assert "log_dir" in refuse("--log-dir", str(tmp_path / "file" / "logs"))


def test_a_plugin_that_is_not_installed(refuse: Refuse):
    line = refuse("-p", "nope")
    assert "'nope'" in line and "installed" in line


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("WORKER_LEASE", "1", "lease"),
        ("WORKER_PICK_SIZE", "many", "pick_size"),
        ("DENSEFOG_HTTP_STATUS", "perhaps", "http_status"),
        ("DENSEFOG_TRANSPORT", "carrier-pigeon", "unknown transport 'carrier-pigeon'"),
        ("DENSEFOG_STORE", "shoebox", "unknown store 'shoebox'"),
        ("DENSEFOG_WORKER", "intern", "unknown worker 'intern'"),
        ("DENSEFOG_TRUSTED_PROXIES", "everybody", "trusted_proxies"),
    ],
)
def test_a_setting_that_does_not_fit(refuse: Refuse, variable: str, value: str, says: str):
    assert says in refuse(**{variable: value})


def test_a_channel_that_is_not_installed(refuse: Refuse):
    assert "'smoke'" in refuse(NOTIFY_CHANNELS="smoke", DENSEFOG_DISABLE_PLUGINS="")


def test_a_settings_file_that_is_none(refuse: Refuse, tmp_path: Path):
    (tmp_path / "densefog.toml").write_text("debug = yes please")
    assert "densefog.toml is not TOML" in refuse()
    assert "cannot read" in refuse("--config", "nowhere.toml")


@pytest.mark.parametrize("what", [("api",), ()], ids=["api", "both"])
def test_a_database_that_cannot_be_reached(refuse: Refuse, what: tuple[str, ...]):
    line = refuse(*what, DB_URL="sqlite:////no/such/folder/cloud.db", DENSEFOG_DISABLE_PLUGINS="")
    assert "database" in line and "/no/such/folder/cloud.db" in line


def test_a_database_server_that_cannot_be_reached_and_its_password(refuse: Refuse):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    line = refuse("worker", DB_URL=f"postgresql+psycopg://cloud:hunter2@127.0.0.1:{port}/fog")
    assert "database" in line and str(port) in line
    assert "hunter2" not in line


def test_an_address_of_no_database(refuse: Refuse):
    assert "db_url" in refuse("worker", DB_URL="not an address")


def test_a_database_without_tables(refuse: Refuse, tmp_path: Path):
    line = refuse("worker", DB_URL=f"sqlite:///{tmp_path}/empty.db")
    assert "no table" in line and "job" in line and "densefog db init" in line


def test_a_table_that_lacks_a_column(refuse: Refuse, tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute("CREATE TABLE job (id TEXT, action TEXT, status TEXT, run_at DATETIME)")
    for table in ("volume", "instance"):
        connection.execute(f"CREATE TABLE {table} (id TEXT)")
    connection.commit()
    connection.close()
    line = refuse("worker", DB_URL=f"sqlite:///{tmp_path}/old.db")
    assert "table job has no column" in line and "try_period" in line and "densefog db init" in line


@pytest.mark.parametrize(
    ("routes", "says"),
    [
        ("{}", "empty"),
        ("[1]", "must be a dict"),
        ("{'Hello': 3}", "'Hello'.*not a function"),
        ("{'Hello': lambda one, two: None}", "'Hello'.*cannot be called"),
        ("{'Hello': wait}", "'Hello'.*async"),
        ("nowhere", "NameError"),
    ],
)
def test_routes_that_cannot_be_served(refuse: Refuse, tmp_path: Path, routes: str, says: str):
    (tmp_path / "shop.py").write_text(
        f"async def wait(params): pass\ndef print_all(params): print(params)\nroutes = {routes}\n"
    )
    line = refuse("api", "shop:routes")
    assert re.search(says, line), line


@pytest.mark.parametrize("what", ["shop:routes", "apu", "worker shop:routes"])
def test_words_that_mean_nothing(refuse: Refuse, what: str):
    refuse(*what.split())


def test_two_owners_of_one_action(refuse: Refuse, tmp_path: Path):
    site = install(tmp_path / "site", "rival", densefog_actions="CreateVolumes = rival:create")
    (site / "rival.py").write_text("def create(params): return {}\n")
    line = refuse("api", PYTHONPATH=str(site), DENSEFOG_DISABLE_PLUGINS="")
    assert "CreateVolumes" in line and "stratus 1" in line and "rival 1.0" in line


def test_the_traceback_is_shown_when_asked_for(tmp_path: Path):
    ended = run(*SERVE, "-v", "--app-root", "/no/such/folder", cwd=tmp_path)
    assert ended.returncode == EX_CONFIG
    assert "Traceback" in ended.stderr


def test_the_sample_cloud_starts_as_make_serve_starts_it(tmp_path: Path):
    """Its settings, one supervised process: the console answers."""
    shutil.copy("examples/stratus/densefog.toml", tmp_path)
    process = Process(*SUPERVISED, "--port", "0", "--app-root", str(tmp_path), cwd=tmp_path)
    with urllib.request.urlopen(f"{process.address()}/console/") as page:
        assert page.status == 200
    process.end()
