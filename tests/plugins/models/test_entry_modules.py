"""What is named by an entry point is imported by every command: it must cost nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import densefog_plugins.models
from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.plugins.discovery import discover

PLUGINS = ["models", "models.projects", "models.operations", "models.idempotency"]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_an_entry_module_imports_no_database(plugin: str) -> None:
    code = f"import sys, densefog_plugins.{plugin}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "gevent"} & set(done.stdout.split())


def test_an_application_that_uses_none_of_them_imports_no_database_at_startup() -> None:
    code = (
        "import sys\n"
        "from densefog_core.testing import make_app\n"
        "from densefog_plugins.models import idempotency, operations, projects\n"
        "app = make_app(projects, operations, idempotency, actions={'Ping': lambda: {}})\n"
        "assert app.api().post({'action': 'Ping'})['retCode'] == 0\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sqlalchemy" not in done.stdout.split()


def test_every_public_name_can_be_imported() -> None:
    for name in densefog_plugins.models.__all__:
        assert getattr(densefog_plugins.models, name) is not None
    with pytest.raises(AttributeError):
        densefog_plugins.models.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["projects", "operations", "idempotency"])
def test_each_of_them_can_be_left_out(name: str) -> None:
    ours = {"log", "models", "wsgi", "worker", "projects", "operations", "idempotency"}
    found = [one for one in discover() if one.name in ours]
    if name not in {one.name for one in found}:
        pytest.skip("the installed metadata is older than setup.cfg")
    app = App(Config().apply(app_root=".", log_dir="-", disabled_plugins=[name])).load(found)
    states = {record.name: record.state for record in app.plugins.records}
    assert states.pop(name) == "disabled"
    assert set(states.values()) == {"loaded"}
