"""``densefog plugins`` and ``densefog hooks``, with plugins of third parties that are all broken in another way."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from densefog_core import hookspecs
from densefog_core.cli.plugins import compare, read_pins
from densefog_core.plugins.markers import PREFIX
from densefog_core.redact import HIDDEN
from tests.integration.conftest import install
from tests.integration.process import DENSEFOG, run

#: Modules of plugins by name.
PLUGINS = {
    "fine": """
        from densefog_core import hookimpl
        @hookimpl
        def densefog_health(kind): return {}
    """,
    "slow": "import os, time; time.sleep(float(os.environ.get('NAP', 0)))",
    "ruin": "raise RuntimeError('out of order')",
    "quits": "raise SystemExit(3)",
    "typo": "def densefog_startup(app) return",
    "newer": "DENSEFOG_API = 99",
    "needy": "from densefog_core import require; require('no_such_package', extra='needy[all]')",
    "picky": """
        from densefog_core import hookimpl
        from densefog_core.config import Setting
        @hookimpl
        def densefog_configure(config):
            config.declare(Setting(name="picky_size", type=int, plugin="picky"))
    """,
    "loud": """
        from densefog_core import hookimpl
        @hookimpl
        def densefog_register_commands(group): raise RuntimeError("no commands today")
    """,
}

Type = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution for each of the plugins."""
    site = tmp_path_factory.mktemp("site")
    for name, source in PLUGINS.items():
        install(site, name, densefog_plugins=f"{name} = {name}")
        lines = source.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        (site / f"{name}.py").write_text("\n".join(line[indent:] for line in lines) + "\n")
    return site


@pytest.fixture
def type_(site: Path, tmp_path: Path) -> Type:
    """Types ``densefog`` where these plugins are installed."""

    def type_(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        ended = run(*DENSEFOG, *words, cwd=tmp_path, **{"PYTHONPATH": str(site), **variables})
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended

    return type_


def states(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    rows = json.loads(ended.stdout)
    return {row["name"]: row["state"] for row in rows if row["distribution"] in PLUGINS}


def test_every_plugin_is_listed_with_what_became_of_it(type_: Type):
    ended = type_("plugins", "--json")
    assert states(ended) == {
        "fine": "loaded", "slow": "loaded", "picky": "loaded", "loud": "loaded",
        "ruin": "broken", "quits": "broken", "typo": "broken", "newer": "rejected", "needy": "unavailable",
    }  # fmt: skip
    reasons = {row["name"]: row["reason"] for row in json.loads(ended.stdout)}
    assert reasons["newer"] == "it was written for plugin interface 99; this densefog has 1"
    assert "pip install 'needy[all]'" in reasons["needy"]


def test_one_whose_settings_are_wrong_is_named_and_hides_no_other(type_: Type):
    ended = type_("plugins", "--json", DENSEFOG_PICKY_SIZE="huge")
    assert "setting picky_size (environment DENSEFOG_PICKY_SIZE): 'huge' is not int" in ended.stderr
    assert states(ended)["picky"] == "rejected"
    assert states(ended)["slow"] == "loaded"


def test_verbose_names_slow_imports_and_shows_why_others_failed(type_: Type):
    ended = type_("plugins", "-v", NAP="0.25")
    slow = [line.split()[0] for line in ended.stdout.splitlines() if "(slow)" in line]
    assert slow == ["slow"]
    assert re.search(r"^slow +densefog.plugins +slow +1.0 +loaded +2[5-9]\d\.\d \(slow\)", ended.stdout, re.M)
    assert "Traceback" in ended.stderr
    assert "ruin.py" in ended.stderr


def test_only_those_that_implement_a_hook(type_: Type):
    assert set(states(type_("plugins", "--json", "--hook", "health"))) == {"fine"}
    assert "there is no hook 'helth'; did you mean 'health'?" in type_("plugins", "--hook", "helth", code=2).stderr


def test_the_lists_of_what_may_load_come_from_setting_environment_and_option(type_: Type, tmp_path: Path):
    (tmp_path / "densefog.toml").write_text('enabled_plugins = ["fine", "slow"]\n')
    allowed = states(type_("plugins", "--json"))
    assert {name for name, state in allowed.items() if state != "disabled"} == {"fine", "slow"}
    allowed = states(type_("plugins", "--json", DENSEFOG_PLUGINS="slow", DENSEFOG_DISABLE_PLUGINS="slow"))
    assert set(allowed.values()) == {"disabled"}
    allowed = states(type_("-p", "no:slow", "-p", "loud", "plugins", "--json"))
    assert {name for name, state in allowed.items() if state != "disabled"} == {"fine", "loud"}


def test_core_commands_work_beside_broken_plugins(type_: Type):
    assert "DescribeJobs" in type_("actions").stdout
    assert "as it should be" in type_("db", "check").stdout
    helped = type_("--help")
    assert "plugins" in helped.stdout
    assert "plugin 'loud' of loud 1.0: its commands are missing: no commands today" in helped.stderr


def test_what_is_frozen_is_what_is_installed_and_a_difference_is_an_error(type_: Type, tmp_path: Path):
    frozen = type_("plugins", "--freeze").stdout
    assert {"ruin==1.0", "fine==1.0", "densefog==1.0.0"} <= set(frozen.splitlines())
    pins = tmp_path / "pins.txt"
    pins.write_text(f"# made by densefog plugins --freeze\n\n{frozen}")
    assert type_("plugins", "--check", str(pins)).stdout == "what is installed is what is pinned\n"
    pins.write_text(frozen.replace("fine==1.0", "fine==2.0").replace("ruin==1.0\n", "") + "gone==1.0  # why?\n")
    assert type_("plugins", "--check", str(pins), code=1).stdout.splitlines() == [
        "fine is installed as 1.0 and pinned as 2.0",
        "gone 1.0 is pinned and not installed",
        "ruin 1.0 is installed and not pinned",
    ]
    pins.write_text("fine>=1\n")
    assert "line 1: 'fine>=1' is not name==version" in type_("plugins", "--check", str(pins), code=2).stderr


def test_pins_are_compared_by_normalized_names():
    pinned = read_pins(["My_Cloud.Parts==1.0 ; python_version > '3'"], "pins")
    assert list(compare({"my-cloud-parts": "1.0"}, pinned)) == []


def test_hooks_lists_every_spec_and_shows_the_reference_of_one(type_: Type):
    rows = json.loads(type_("hooks", "--json").stdout)
    assert [row["hook"] for row in rows] == [name for name in vars(hookspecs) if name.startswith(PREFIX)]
    arguments = {row["hook"]: row["arguments"] for row in rows}
    assert arguments["densefog_call_action"] == ["request", "handler"]
    reference = type_("hooks", "call_job").stdout
    assert reference.startswith("densefog_call_job(job")
    assert "Example:" in reference
    assert "did you mean 'call_job'?" in type_("hooks", "cal_job", code=2).stderr


def test_settings_says_what_is_set_to_what_where_and_by_whom(type_: Type, tmp_path: Path):
    """Secrets are masked; the application's own keys are in the list."""
    (tmp_path / "densefog.toml").write_text('db_password = "hunter2"\n[app]\nregion = "east"\napi_token = "hunter2"\n')
    ended = type_("settings", "--json", DENSEFOG_PICKY_SIZE="3")
    rows = {row["name"]: row for row in json.loads(ended.stdout)}
    assert "hunter2" not in ended.stdout
    assert (rows["db_password"]["value"], rows["api_token"]["value"]) == (HIDDEN, HIDDEN)
    assert (rows["exec_size"]["value"], rows["exec_size"]["origin"]) == (10, "default")
    picky = {"value": 3, "origin": "environment", "where": "DENSEFOG_PICKY_SIZE"}
    assert picky.items() <= rows["picky_size"].items()
    assert rows["picky_size"]["declaredBy"] == "plugin 'picky' of picky 1.0"
    assert (rows["region"]["declaredBy"], rows["region"]["origin"]) == ("the application", "file")


def test_settings_changed_leaves_out_what_is_as_it_comes(type_: Type, tmp_path: Path):
    """That is what one wants to know of a machine that behaves differently."""
    (tmp_path / "densefog.toml").write_text("exec_size = 20\n")
    lines = type_("--debug", "settings", "--changed").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [["debug", "true", "option"], ["exec_size", "20", "file"]]


def test_settings_that_no_server_would_start_with_are_shown_all_the_same(type_: Type, tmp_path: Path):
    """With what is wrong, and its exit code: it is the command to look into that with."""
    (tmp_path / "densefog.toml").write_text("exec_sizes = 20\n")
    ended = type_("settings", code=78)
    assert "unknown setting 'exec_sizes'" in ended.stderr
    assert "exec_size " in ended.stdout
    assert "exec_sizes" in type_("--allow-unknown-settings", "settings").stderr


def test_a_plugin_that_is_set_up_and_lacks_its_package_stops_commands(type_: Type):
    """In one line, which names the setting, the plugin and what to install."""
    ended = type_("actions", code=78, DENSEFOG_NEEDY_URL="https://x")
    assert ended.stderr == (
        "densefog: needy_url is set (environment DENSEFOG_NEEDY_URL), but plugin 'needy' of needy 1.0 is "
        "unavailable: needs the package no_such_package: pip install 'needy[all]'\n"
    )
    type_("actions", DENSEFOG_NEEDY_URL="https://x", DENSEFOG_DISABLE_PLUGINS="needy")
