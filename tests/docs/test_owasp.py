"""The table of the OWASP API Top 10 in the manual names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/security.md").read_text()


def test_each_of_the_ten_names_tests_that_exist() -> None:
    """A test that is renamed or deleted would leave a promise that nothing shows."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| API")]
    assert [row.split()[1] for row in rows] == [f"API{number}" for number in range(1, 11)]
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text())
            functions = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
            assert name in functions, f"{path}::{name}"
