"""Installed applications, and processes that end with their test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.process import SERVE, SUPERVISED, Process

Start = Callable[..., Process]


def install(site: Path, name: str, **entry_points: str) -> Path:
    """Put a distribution's metadata into a folder of PYTHONPATH, as an installer would.

    Args:
        site: the folder.
        name: the distribution's name.
        **entry_points: group to ``name = module`` lines, with ``_`` for the dot.
    """
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = [f"[{group.replace('_', '.')}]\n{lines}\n" for group, lines in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(groups))
    return site


@pytest.fixture(scope="session")
def effects(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder that the application ``effects`` is installed in."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy(Path(__file__).with_name("effects.py"), site / "effects.py")
    lines = {group: "effects = effects" for group in ("densefog_actions", "densefog_jobs", "densefog_plugins")}
    return str(install(site, "effects", **lines))


@pytest.fixture
def start(tmp_path: Path, effects: str) -> Iterator[Start]:
    """Starts ``densefog-serve --no-supervisor`` with ``effects`` installed, in a folder of the test's own."""
    with starting(SERVE, tmp_path, effects) as serve:
        yield serve


@pytest.fixture
def supervised(tmp_path: Path, effects: str) -> Iterator[Start]:
    """Starts ``densefog-serve`` with ``effects`` installed, in a folder of the test's own."""
    with starting(SUPERVISED, tmp_path, effects) as serve:
        yield serve


@contextmanager
def starting(command: tuple[str, ...], folder: Path, site: str) -> Iterator[Start]:
    started: list[Process] = []

    def serve(*arguments: str, **variables: str) -> Process:
        given = {"PYTHONPATH": site, "DENSEFOG_STRATUS_DELAY": "0.1", **variables}
        started.append(Process(*command, "--app-root", str(folder), "--port", "0", *arguments, cwd=folder, **given))
        return started[-1]

    yield serve
    for process in started:
        process.end()


@pytest.fixture(scope="session")
def cloud_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample cloud that tests share."""
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="session")
def cloud(cloud_root: Path) -> Iterator[str]:
    """The address of the sample cloud: API and worker in one process, as ``make serve`` runs it."""
    arguments = ("--app-root", str(cloud_root), "--log-dir", str(cloud_root / "logs"), "--port", "0")
    process = Process(*SERVE, *arguments, cwd=cloud_root, DENSEFOG_STRATUS_DELAY="0.1")
    yield process.address()
    process.end()
    assert process.popen.returncode == 0, process.log
