"""Installed from wheels into fresh environments: what arrives, what it needs, and what goes again."""

from __future__ import annotations

import json

import pytest

from tests.integration.process import eventually
from tests.packaging.wheels import Venv, ask, build_sdist, build_wheel, contents

#: What the core may need; everything else belongs to a plugin.
CORE = ("pluggy", "msgspec", "click")
HEAVY = ("werkzeug", "gevent", "sqlalchemy", "httptools")


@pytest.fixture(scope="session")
def bare(densefog_wheel, tmp_path_factory):
    """An environment with densefog and nothing but the core's own dependencies."""
    bare = Venv(tmp_path_factory.mktemp("bare"))
    bare.install("--no-deps", densefog_wheel)
    bare.install(*CORE)
    return bare


def test_it_installs_without_a_compiler_and_its_commands_work(fresh):
    assert fresh.output("densefog", "--version") == "densefog, version 1.0.0\n"
    assert fresh.output("densefog-serve", "--version") == "densefog-serve, version 1.0.0\n"
    rows = fresh.json("plugins")
    assert {row["distribution"] for row in rows} == {"densefog"}
    assert {row["state"] for row in rows} <= {"loaded", "unavailable"}
    assert {"log", "models", "worker", "wsgi"} <= {row["name"] for row in rows if row["state"] == "loaded"}


@pytest.mark.parametrize("environment", ["fresh", "bare"])
def test_the_core_imports_nothing_heavy(environment, request):
    code = f"import sys, densefog_core; print([name for name in {HEAVY} if name in sys.modules])"
    assert request.getfixturevalue(environment).output("python", "-c", code) == "[]\n"


def test_the_core_works_with_its_own_dependencies_only(bare):
    installed = json.loads(bare.output("python", "-c", """if True:
        import json
        from importlib.metadata import distributions
        print(json.dumps(sorted(one.name.lower() for one in distributions())))
    """))
    assert not set(installed) & set(HEAVY)
    code = """if True:
        from densefog_core import action, job, enqueue
        from densefog_core.testing import make_app
        app = make_app(
            actions={"Greet": lambda params: {"jobId": enqueue("Greet", params)}},
            jobs={"Greet": lambda params: "hello " + params["name"]},
        )
        reply = app.api().post({"action": "Greet", "name": "Ada"})
        app.run_jobs()
        print(app.store.get(reply["data"]["jobId"]).result)
    """
    assert bare.output("python", "-c", code) == "hello Ada\n"
    assert bare.output("densefog", "--version") == "densefog, version 1.0.0\n"
    assert {row["name"] for row in bare.json("plugins")} >= {"models", "worker", "wsgi"}


def test_the_sample_cloud_is_served_with_no_configuration_and_goes_when_uninstalled(fresh, stratus_wheel, tmp_path):
    with fresh.having(stratus_wheel):
        with fresh.serving("--app-root", str(tmp_path)) as server:
            address = server.address()
            data = ask(address, "CreateVolumes", size=10, count=2)
            assert len(data["volumeIds"]) == 2
            wanted = {"jobIds": [data["jobId"]], "status": ["finished"]}
            [done] = eventually(lambda: ask(address, "DescribeJobs", **wanted)["jobSet"])
            assert done["result"] == {"volumeIds": data["volumeIds"]}
            volumes = ask(address, "DescribeVolumes")["volumeSet"]
            assert [one["status"] for one in volumes] == ["available", "available"]
        assert "public/CreateVolumes" in fresh.actions()
    plugins = {f"plugin {name!r} of densefog 1.0.0" for name in ("operations", "manage")}
    assert set(fresh.actions().values()) == {"densefog", *plugins}


@pytest.mark.chaos
def test_the_sdist_builds_the_same_wheel(source, densefog_wheel, tmp_path):
    again = build_wheel(build_sdist(source, tmp_path / "sdist"), tmp_path / "wheel")
    assert contents(again) == contents(densefog_wheel)


def test_the_wheel_holds_the_packages_their_types_and_nothing_else(densefog_wheel):
    names = list(contents(densefog_wheel))
    packages = {"densefog", "densefog_core", "densefog_plugins"}
    assert {name.partition("/")[0] for name in names} == {*packages, "densefog-1.0.0.dist-info"}
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    assert [name for name in names if "LICENSE" in name]


@pytest.mark.chaos
def test_an_editable_install_run_from_its_repository_shows_each_plugin_once(source, tmp_path):
    editable = Venv(tmp_path / "venv")
    editable.install("--no-deps", "--editable", source)
    editable.install(*CORE)
    show = "import sys; from densefog_core.cli.main import main; main(['plugins', '--json'])"
    for program in (("densefog", "plugins", "--json"), ("python", "-c", show)):
        rows = json.loads(editable.run(*program, cwd=source).checked().stdout)
        names = [(row["group"], row["name"]) for row in rows]
        assert len(names) == len(set(names)) >= 6
        assert {row["state"] for row in rows} <= {"loaded", "unavailable"}
