"""The wheels and environments that the tests of this folder share; each is made once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.process import ROOT
from tests.packaging.wheels import Venv, build_wheel, copy_source, write_wheel

Folder = pytest.TempPathFactory
Plugin = Callable[..., Path]


@pytest.fixture(scope="session")
def source(tmp_path_factory: Folder) -> Path:
    """A copy of densefog's source."""
    return copy_source(ROOT, tmp_path_factory.mktemp("source") / "densefog")


@pytest.fixture(scope="session")
def densefog_wheel(source: Path, tmp_path_factory: Folder) -> Path:
    """The wheel of densefog."""
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def stratus_wheel(tmp_path_factory: Folder) -> Path:
    """The wheel of the sample cloud."""
    source = copy_source(ROOT / "examples" / "stratus", tmp_path_factory.mktemp("source") / "stratus")
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def fresh(densefog_wheel: Path, tmp_path_factory: Folder) -> Venv:
    """An environment with densefog, installed without a compiler; what a test adds to it, it takes away again."""
    fresh = Venv(tmp_path_factory.mktemp("venv"))
    fresh.install("--only-binary", ":all:", densefog_wheel)
    return fresh


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """Writes the wheel of a distribution whose one module, of the same name, is a plugin of that name."""

    def make(name: str, source: str, version: str = "1.0", group: str = "densefog.plugins", **points: str) -> Path:
        return write_wheel(tmp_path, name, {group: points or {name: name}}, version, **{name: source})

    return make
