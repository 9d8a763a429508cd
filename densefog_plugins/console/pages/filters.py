"""The filter of jobs in an address, and the same filter as an action and a command take it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

STATUSES = ("error", "pending", "running", "finished")
#: Members of the address, what the field is called, and the member of `Filter`.
FIELDS = (
    ("action", "Action", "actions"),
    ("project", "Project", "projectId"),
    ("resource", "Resource", "resourceId"),
    ("cause", "Cause", "cause"),
    ("error", "Error contains", "error"),
    ("since", "Since", "since"),
    ("until", "Until", "until"),
)


def query_of(args: MultiDict[str, str]) -> dict[str, str]:
    """Return the filter's members of an address, those that are set."""
    return {name: text for name, _, _ in FIELDS if (text := args.get(name, "").strip())}


def filter_of(args: MultiDict[str, str], status: str | None) -> dict[str, Any]:
    """Return the filter as actions take it."""
    made: dict[str, Any] = {} if status is None else {"status": status}
    for name, _, member in FIELDS:
        if text := args.get(name, "").strip():
            made[member] = [text] if member == "actions" else _moment(text) if name in ("since", "until") else text
    return made


def _moment(text: str) -> str:
    """Return a time as JSON takes it; people may leave out its end."""
    text = text.replace(" ", "T")
    return text if "T" in text else f"{text}T00:00:00"


def command(verb: str, args: Mapping[str, Any], job_ids: list[str]) -> str:
    """Return the command that does the same."""
    words = ["densefog", "jobs", verb, *job_ids]
    for name, value in args.items():
        words += [f"--{name}", str(value)]
    return " ".join(shlex.quote(word) for word in words)
