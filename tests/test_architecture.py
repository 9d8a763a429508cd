"""The rules of the house, each checked against what is there."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import densefog
import densefog_core
import densefog_plugins

ROOT = Path(densefog_core.__file__).parent.parent
MODULES = [
    path
    for package in (densefog_core, densefog_plugins, densefog)
    for path in sorted(Path(package.__file__).parent.rglob("*.py"))
]


def test_the_core_pulls_in_no_server_and_no_database():
    code = (
        "import sys, densefog_core, densefog_core.server.serving, densefog_core.cli.serve, densefog_core.cli.main;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"werkzeug", "gevent", "sqlalchemy", "httptools", "densefog_plugins", "densefog"} & set(loaded)


def test_import_linter_holds_the_rules_of_import():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def in_circles(*, readers: bool) -> set[str]:
    """Return the modules that stand in a circle of imports, or between two.

    Args:
        readers: count what stands below ``TYPE_CHECKING``, too: whoever reads a module follows it.
    """
    packages = "densefog_core", "densefog_plugins", "densefog"
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=not readers, cache_dir=None)
    left = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while True:
        imported = set().union(*left.values())
        kept = {module: imports & set(left) for module, imports in left.items() if module in imported}
        kept = {module: imports for module, imports in kept.items() if imports}
        if kept == left:
            return set(left)
        left = kept


def test_no_circle_at_run_time() -> None:
    """Nothing needs an import inside a function because of the order of imports."""
    assert in_circles(readers=False) == set()


def test_only_the_app_and_its_hooks_are_a_circle() -> None:
    """The hooks are about the App, which calls them; the sender of notices stands in it until it is a plugin."""
    sender = {"densefog_core.notify", "densefog_core.notify_durable"}
    assert in_circles(readers=True) == {"densefog_core.app", "densefog_core.hookspecs", *sender}


def test_the_names_that_users_import_are_there():
    from densefog_core import action, config, current_job, enqueue, errors, hookimpl, job, request
    from densefog_core.context import get_context_id
    from densefog_core.errors import iaas_error, project_error
    from densefog_core.server import create_api, create_worker
    from densefog_plugins.models import Base, ResourceModel, lock_for_update, session, transaction
    from densefog_plugins.wsgi import create_app

    assert all(
        (
            action,
            config,
            enqueue,
            errors,
            hookimpl,
            job,
            get_context_id,
            iaas_error,
            project_error,
            create_api,
            create_worker,
            Base,
            ResourceModel,
            lock_for_update,
            session,
            transaction,
            create_app,
        )
    )
    assert request is not None
    assert current_job is not None


def test_the_skins_objects_are_the_cores():
    from densefog import config, error, iaas_error, project_error, server
    from densefog.common import local
    from densefog_core import context
    from densefog_core import errors as core_errors
    from densefog_core import server as core_server

    assert config.CONF is densefog_core.config.CONF
    assert config.setup is densefog_core.config.setup
    assert server.create_api is core_server.create_api
    assert server.create_worker is core_server.create_worker
    assert local.get_context_id is context.get_context_id
    assert iaas_error.ResourceNotFound is core_errors.iaas_error.ResourceNotFound
    assert project_error.ProjectNotFound is core_errors.project_error.ProjectNotFound
    assert error.ResourceNotFound is core_errors.iaas_error.ResourceNotFound


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent.name != "densefog"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_exception_is_swallowed_in_silence(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (isinstance(node.type, ast.Name) and "Exception" in node.type.id)
            silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
            assert not (broad and silent), f"line {node.lineno}"


@pytest.mark.parametrize(
    "plugin", sorted(path.parent.name for path in Path(densefog_plugins.__file__).parent.glob("*/__init__.py"))
)
def test_a_plugins_package_imports_nothing_heavy(plugin):
    code = f"import sys, densefog_plugins.{plugin}; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"werkzeug", "gevent", "sqlalchemy", "slack_sdk", "httptools", "flask", "prometheus_client"}
    assert not heavy & loaded


def test_the_version_is_that_of_the_metadata():
    declared = re.search(r"^version = (.+)$", (ROOT / "setup.cfg").read_text(), re.M)[1]
    assert declared in (ROOT / "CHANGELOG.md").read_text()
