"""Which lowest versions have known advisories: ``python -m tests.advisories``, part of ``make lint``, works offline.

The list is kept by hand from https://osv.dev; who raises a floor because of an advisory adds a line.
"""

from __future__ import annotations

import sys
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

#: The first version without a known advisory, and the last advisory.
FIXED = {
    "cryptography": ("46.0.5", "CVE-2026-26007"),
    "flask": ("3.1.3", "CVE-2026-27205"),
    "gevent": ("23.9.0", "CVE-2023-41419"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "werkzeug": ("3.1.6", "CVE-2026-27199"),
}


def declared(path: Path) -> list[Requirement]:
    """Return what the package needs, extras for developers aside."""
    parser = ConfigParser()
    parser.read(path)
    groups = [parser["options"]["install_requires"]]
    groups += [text for extra, text in parser["options.extras_require"].items() if extra not in ("dev", "docs", "all")]
    return [Requirement(line) for group in groups for line in group.splitlines() if line.strip()]


def problems(requirements: list[Requirement]) -> list[str]:
    """Return a line for each requirement that allows, or has installed, a version with an advisory."""
    found = []
    for one in requirements:
        fixed, advisory = FIXED.get(one.name.lower(), ("0", ""))
        floors = [Version(part.version) for part in one.specifier if part.operator == ">="]
        if not floors or max(floors) < Version(fixed):
            found.append(f"{one}: setup.cfg must ask for >= {fixed} {advisory}".rstrip())
        elif one.name in _installed() and Version(_installed()[one.name]) < Version(fixed):
            found.append(f"{one.name} {_installed()[one.name]} is installed; {advisory} is mended in {fixed}")
    return found


def _installed() -> dict[str, str]:
    return {(one.name or "").lower(): one.version for one in metadata.distributions()}


if __name__ == "__main__":
    lines = problems(declared(Path(__file__).parents[1] / "setup.cfg"))
    sys.exit("\n".join(lines) or None)
