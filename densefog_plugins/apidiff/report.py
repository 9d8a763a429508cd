"""Changes as a person, a program and a changelog read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from densefog_core import jsontext
from densefog_plugins.apidiff.compare import Change


def text(changes: Sequence[Change]) -> str:
    """Return a line for each change."""
    if not changes:
        return "nothing changes"
    rows = [("breaks" if one.breaks else "new", one.action, one.path or "-", one.change) for one in changes]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows)


def json(changes: Sequence[Change]) -> str:
    """Return a list of ``{action, path, change, breaks}``."""
    return jsontext.dumps([asdict(one) for one in changes], pretty=True)


def markdown(changes: Sequence[Change]) -> str:
    """Return two lists for a changelog."""
    parts = []
    for title, breaks in (("Breaks callers", True), ("New", False)):
        lines = [_line(one) for one in changes if one.breaks is breaks]
        parts += [f"### {title}\n\n" + "\n".join(lines)] if lines else []
    return "\n\n".join(parts) or "Nothing changes."


def _line(change: Change) -> str:
    where = f"`{change.action}`" + (f" `{change.path}`" if change.path else "")
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>|" else letter for letter in change.change)
    return f"- {where}: {escaped}"


FORMATS: dict[str, Callable[[Sequence[Change]], str]] = {"text": text, "json": json, "markdown": markdown}
