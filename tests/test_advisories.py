"""The check of lowest versions finds what has advisories."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.advisories import declared, problems


def test_no_floor_has_a_known_advisory() -> None:
    """Who installs the lowest versions is safe, too."""
    assert problems(declared(Path(__file__).parents[1] / "setup.cfg")) == []


@pytest.mark.parametrize("text", ["werkzeug >= 3", "werkzeug", "flask >= 3.1.2"])
def test_an_old_floor_is_named(text: str) -> None:
    """The line says what to ask for, and why."""
    (line,) = problems([Requirement(text)])
    assert "CVE-2026" in line
