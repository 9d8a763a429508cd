"""The wheel with each of its extras, with the oldest libraries that it allows, and on other Pythons; all installed."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.integration.process import ROOT, eventually
from tests.packaging.wheels import Venv, ask

pytestmark = pytest.mark.chaos

#: The plugin that needs each extra, with the settings that make it need it.
PLUGINS = {
    "apprise": ("apprise", {"DENSEFOG_APPRISE_URLS": "json://127.0.0.1"}),
    "console": ("console", {"DENSEFOG_CONSOLE_ENABLED": "true", "DENSEFOG_CONSOLE_OPEN": "true"}),
    "flask": ("flask", {"DENSEFOG_FLASK_ENABLED": "true"}),
    "metrics": ("metrics", {"DENSEFOG_METRICS_ENABLED": "true"}),
    "slack": ("slack", {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x"}),
    "tracing": ("tracing", {"DENSEFOG_TRACING_EXPORTER": "provider"}),
}
#: What needs each extra that no plugin stands and falls with: a program that must succeed.
PROGRAMS = {
    "auth": "import cryptography.fernet, http_message_signatures",
    "cron": """if True:
        from densefog_core.jobs.schedules import parse
        print(parse("Clean", "0 3 * * *"))
    """,
    "jsonschema": """if True:
        from densefog_core.actions.handlers import make_spec
        make_spec("Create", lambda params: None, schema={"type": "object", "required": ["size"]})
    """,
    "mysql": "import sqlalchemy; sqlalchemy.create_engine('mysql://localhost/jobs')",
    "postgres": "import sqlalchemy; sqlalchemy.create_engine('postgresql+psycopg://localhost/jobs')",
}
#: Extras for those who change densefog.
OURS = {"dev", "docs"}

#: A plugin with one action, which enqueues the one job.
SMOKE = """
    from densefog_core import enqueue, hookimpl
    @hookimpl
    def densefog_register_actions(registry):
        registry.add("Greet", lambda params: {"jobId": enqueue("Greet", {"name": params["name"]})})
    @hookimpl
    def densefog_register_jobs(registry):
        registry.add("Greet", lambda params: "hello " + params["name"])
"""
#: Runs one job on SQLite without a server.
RUN_PENDING = """if True:
    from densefog_core import config, enqueue
    from densefog_core.server import create_worker
    config.setup(app_root=".", log_dir="logs")
    worker = create_worker()
    job_id = enqueue("Greet", {"name": "Ada"})
    assert worker.run_pending() == 1
    print(worker.app.store.get(job_id).result)
"""


@cache
def declared() -> configparser.ConfigParser:
    """What densefog says of itself."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def oldest(requirements: str) -> list[str]:
    """Return the oldest version that each requirement of a list allows."""
    found = re.findall(r"^([\w-]+)(\[\w+])?\s*>=\s*([\d.]+)", requirements, re.MULTILINE)
    return [f"{name}{extra}=={version}" for name, extra, version in found]


def interpreter(version: str) -> Path | None:
    """Return the interpreter of a version of Python that works here, or None."""
    there = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    for path in filter(None, there):
        done = subprocess.run([path, "-c", "import venv, sqlite3, ssl"], capture_output=True, check=False)
        if done.returncode == 0:
            return Path(path)
    return None


def works(venv: Venv, smoke: Path) -> None:
    """Serve one action and run its job; run another one without a server."""
    with venv.having(smoke):
        with venv.serving("--app-root", ".") as process:
            address = process.address()
            wanted = {"jobIds": [ask(address, "Greet", name="Bob")["jobId"]], "status": ["finished"]}
            [job] = eventually(lambda: ask(address, "DescribeJobs", **wanted)["jobSet"])
            assert job["result"] == "hello Bob"
        assert venv.output("python", "-W", "error", "-c", RUN_PENDING) == "hello Ada\n"


@pytest.fixture
def smoke(plugin) -> Path:
    """The wheel of a plugin with an action and a job."""
    return plugin("smoke", SMOKE)


def test_there_is_a_test_of_each_extra():
    extras = set(declared()["options.extras_require"])
    assert extras == PLUGINS.keys() | PROGRAMS.keys() | OURS | {"all"}


def test_all_installs_every_extra_but_those_for_developers():
    """What ``pip install 'densefog[all]'`` leaves out would be missing in silence."""
    wanted = declared()["options.extras_require"]["all"].strip()
    assert set(wanted.removeprefix("densefog[").removesuffix("]").split(",")) == PLUGINS.keys() | PROGRAMS.keys()


@pytest.mark.parametrize("extra", PLUGINS)
def test_an_extra_is_all_that_its_plugin_needs(extra, fresh, densefog_wheel, tmp_path):
    name, settings = PLUGINS[extra]
    assert f"pip install 'densefog[{extra}]'" in fresh.refuses(**settings)
    assert f"pip install 'densefog[{extra}]'" in fresh.refuses("-p", name, **settings)
    venv = Venv(tmp_path / "venv")
    venv.install("--only-binary", ":all:", f"{densefog_wheel}[{extra}]")
    [row] = [row for row in venv.json("-p", name, "plugins", **settings) if row["name"] == name]
    assert (row["state"], row["reason"]) == ("loaded", "")
    # The settings take effect when the application starts, which is what lists its actions.
    assert venv.actions("-p", name, **settings)


@pytest.mark.parametrize("extra", PROGRAMS)
def test_an_extra_brings_what_a_feature_needs(extra, fresh, densefog_wheel, tmp_path):
    if extra == "mysql" and not (shutil.which("mariadb_config") or shutil.which("mysql_config")):
        pytest.skip("mysqlclient is built with libmariadb-dev, which is not here")
    assert fresh.run("python", "-c", PROGRAMS[extra]).code != 0
    venv = Venv(tmp_path / "venv")
    venv.install(f"{densefog_wheel}[{extra}]")
    venv.output("python", "-W", "error", "-c", PROGRAMS[extra])


def test_the_oldest_libraries_that_are_allowed_work(densefog_wheel, smoke, tmp_path):
    versions = oldest(declared()["options"]["install_requires"])
    assert len(versions) == len(declared()["options"]["install_requires"].split("\n")) - 1
    venv = Venv(tmp_path / "venv")
    venv.install("--only-binary", ":all:", densefog_wheel, *versions)
    works(venv, smoke)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_it_works_on_each_python(version, densefog_wheel, smoke, tmp_path):
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"the other tests run on Python {version}")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    venv = Venv(tmp_path / "venv", python)
    venv.install("--only-binary", ":all:", densefog_wheel)
    works(venv, smoke)
