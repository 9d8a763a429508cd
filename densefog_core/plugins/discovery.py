"""Entry points: found, filtered and sorted without importing anything.

The shape is flake8's finder: plain data in, plain data out. Only ``entry_points.txt`` of every distribution is read;
its ``METADATA`` only when it declares something for densefog (reading 500 of them costs 150 ms).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution

PLUGINS = "densefog.plugins"
ACTIONS = "densefog.actions"
JOBS = "densefog.jobs"
GROUPS = (PLUGINS, ACTIONS, JOBS)

#: The distribution that ships the core and the plugins beside it.
HOME = "densefog"


@dataclass(frozen=True, slots=True)
class Found:
    """One entry point, not imported yet.

    Attributes:
        group: one of `GROUPS`.
        name: the entry point's name.
        value: ``module`` or ``module:attribute``.
        dist: name of the distribution that declares it.
        version: the distribution's version.
        wrong: what keeps it from being read; empty for what can be imported.
    """

    group: str
    name: str
    value: str
    dist: str
    version: str
    wrong: str = ""

    @property
    def owner(self) -> str:
        """How messages call it: plugin, distribution and version."""
        return f"{self.group.partition('.')[2].rstrip('s')} {self.name!r} of {self.dist} {self.version}".rstrip()

    def load(self) -> object:
        """Import what the entry point names; raises whatever the import raises."""
        from importlib.metadata import EntryPoint

        return EntryPoint(self.name, self.value, self.group).load()


def normalized(name: str) -> str:
    """Return a distribution's name in the form of PEP 503: lower case, runs of ``-_.`` as one dash."""
    return re.sub(r"[-_.]+", "-", name).lower()


def discover(groups: Iterable[str] = GROUPS, path: list[str] | None = None) -> list[Found]:
    """Return the entry points of ``groups``, densefog's own first, then by distribution, group and name.

    A distribution that is found twice, as an editable install is from within its repository, counts once. One whose
    files cannot be read is in the list as well, with what is wrong.

    Args:
        groups: entry point groups.
        path: folders to search; default ``sys.path`` without the current folder, where anybody who can write a
            file could otherwise plant a plugin.
    """
    # Importing it takes a quarter of the time that importing the whole core may take.
    from importlib.metadata import distributions

    wanted = frozenset(groups)
    found: dict[str, list[Found]] = {}
    for dist in distributions(path=_search_path() if path is None else path):
        if points := _points_of(dist, wanted):
            found.setdefault(normalized(points[0].dist), points)
    everything = [one for ones in found.values() for one in ones]
    return sorted(everything, key=lambda one: (one.dist != HOME, normalized(one.dist), one.group, one.name))


def _search_path() -> list[str]:
    here = os.path.realpath(os.getcwd())
    return [entry for entry in sys.path if entry and os.path.realpath(entry) != here]


def _points_of(dist: Distribution, groups: frozenset[str]) -> list[Found]:
    # Somebody else has written these files: whatever is wrong with them must not keep the others from being found.
    home = str(getattr(getattr(dist, "_path", None), "name", "unknown"))
    try:
        text = dist.read_text("entry_points.txt")
        concerned = text is not None and "[densefog." in text
        points = [point for point in dist.entry_points if point.group in groups] if concerned else []
    except Exception as exc:  # noqa: BLE001
        return [Found(PLUGINS, home, "", home, "", f"its entry_points.txt cannot be read: {type(exc).__name__}: {exc}")]
    if not points:
        return []
    try:
        name, version, wrong = dist.metadata["Name"] or home, dist.version or "", ""
    except Exception as exc:  # noqa: BLE001
        name, version, wrong = home, "", f"its METADATA cannot be read: {type(exc).__name__}: {exc}"
    return [Found(point.group, point.name, point.value, name, version, wrong) for point in points]
