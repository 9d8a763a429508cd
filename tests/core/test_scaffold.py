"""``densefog new``: what it writes installs, its tests pass, and the tools of its kind are quiet about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from densefog_core.cli.new import KINDS, MAX_NAME, new
from tests.integration.process import DENSEFOG, ROOT, environment, run

#: The name for each kind; the last one is as long as a name may be.
NAMES = {"app": "sky", "channel": "memory", "store": "memory-any2", "middleware": "request-" + "x" * (MAX_NAME - 8)}


def write(into: Path, name: str, *options: str):
    return CliRunner().invoke(new, [name, "--into", str(into), *options])


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A package of each kind."""
    into = tmp_path_factory.mktemp("packages")
    for kind, name in NAMES.items():
        written = write(into, name, "--kind", kind)
        assert written.exit_code == 0, written.output
        assert f"next: cd {into / name}; pip install -e '.[test]'; pytest" in written.output
    return {kind: into / name for kind, name in NAMES.items()}


def together(*commands: tuple[Path, list[str]], **variables: str) -> None:
    """Run Python programs at the same time, each in a folder of its own; all must succeed."""
    environ = environment(**variables)
    started = [
        subprocess.Popen([sys.executable, "-m", *words], cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)
        for folder, words in commands
    ]
    for one, (folder, words) in zip(started, commands, strict=True):
        printed, _ = one.communicate(timeout=60)
        assert one.returncode == 0, f"{words} in {folder}:\n{printed}"


def test_there_is_a_name_for_each_kind():
    assert set(NAMES) == set(KINDS)


def test_its_tests_pass(packages: dict[str, Path]):
    words = ["pytest", "-q", "-p", "no:cacheprovider"]
    together(*((folder, words) for folder in packages.values()), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def test_ruff_and_mypy_are_quiet(packages: dict[str, Path], request: pytest.FixtureRequest):
    together(*((folder, ["ruff", "check", "--no-cache"]) for folder in packages.values()))
    # All kinds at once: what takes the time is reading densefog.
    checked = [str(path) for folder in packages.values() for path in folder.rglob("*.py")]
    roots = os.pathsep.join(map(str, [*packages.values(), ROOT]))
    cache = str(request.config.cache.mkdir("mypy"))
    words = ["mypy", "--strict", "--follow-imports=silent", "--cache-dir", cache, *checked]
    together((next(iter(packages.values())), words), MYPYPATH=roots)


def test_installed_it_takes_part(packages: dict[str, Path], tmp_path: Path):
    maker = str(metadata_maker(tmp_path))
    together(*((folder, ["setuptools_metadata"]) for folder in packages.values()), PYTHONPATH=maker)
    path = os.pathsep.join(map(str, packages.values()))
    listed = run(*DENSEFOG, "plugins", "--json", cwd=tmp_path, PYTHONPATH=path)
    rows = {row["distribution"]: row for row in json.loads(listed.stdout)}
    for name in NAMES.values():
        assert (rows[name]["state"], rows[name]["version"]) == ("loaded", "0.1.0"), rows[name]
    actions = json.loads(run(*DENSEFOG, "actions", "--json", cwd=tmp_path, PYTHONPATH=path).stdout)
    assert [row["owner"] for row in actions if row["action"] == "GreetSky"] == ["action 'sky' of sky 0.1.0"]


def metadata_maker(folder: Path) -> Path:
    """Make a program that writes a distribution's metadata beside its source, as an editable install does."""
    source = "import setuptools\nsetuptools.setup(script_args=['-q', 'egg_info'])\n"
    (folder / "setuptools_metadata.py").write_text(source)
    return folder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My_Cloud", "is no name for a package"),
        ("2fast", "is no name for a package"),
        ("a--b", "is no name for a package"),
        ("../up", "is no name for a package"),
        ("class", "is taken by Python itself"),
        ("json", "is taken by Python itself"),
        ("tests", "is taken by Python itself"),
        ("densefog-core", "a module densefog_core is installed"),
        ("x" * (MAX_NAME + 1), f"has more than {MAX_NAME} characters"),
        ("there", "is there already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_written(tmp_path: Path, name: str, says: str):
    (tmp_path / "there").mkdir()
    refused = write(tmp_path, name, "--kind", "app")
    assert refused.exit_code == 2
    assert says in " ".join(refused.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_kind_that_is_unknown_is_refused_with_those_there_are(tmp_path: Path):
    refused = write(tmp_path, "sky", "--kind", "chanel")
    assert refused.exit_code == 2
    for kind in KINDS:
        assert kind in refused.output
