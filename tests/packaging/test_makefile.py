"""The Makefile installs what was asked for, whatever an earlier target has installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.process import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the Makefile depends on, and a stamp of EXTRAS=dev."""
    for name in ("Makefile", "setup.cfg", "setup.py", "pyproject.toml", "examples/stratus/setup.cfg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    (tmp_path / ".venv/.test-dev").touch()
    return tmp_path


def planned(clone: Path, extras: str) -> str:
    """Return what ``make docs`` would run."""
    command = ["make", "--dry-run", "docs", f"EXTRAS={extras}"]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True, timeout=30).stdout


def test_the_same_extras_are_installed_once(clone: Path) -> None:
    """A stamp stands for the extras it was made with."""
    assert "pip install" not in planned(clone, "dev")


def test_other_extras_are_installed_too(clone: Path) -> None:
    """A stamp of other extras is none."""
    assert "pip install --quiet -e '.[dev,mysql]'" in planned(clone, "dev,mysql")
