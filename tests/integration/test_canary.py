"""Secrets put into each place of a request and a job turn up in no table, file, notice, reply, page or output."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.integration.canary import canary
from tests.integration.conftest import install
from tests.integration.process import DENSEFOG, ROOT, SERVE, Process, eventually, run
from tests.plugins.receiver import Receiver, receiving

#: Begins and ends each of them, whatever encodes it.
MARKS = (b"Zq", b"Wx")
BODIES: dict[str, dict[str, Any]] = {
    "CreateServer": {
        "phrase": canary("Typed"), "inside": {"adminPass": canary("Inside")}, "clientToken": "t-1",
        "extra": [{"name": "DB_PASSWORD", "value": canary("Pair")}],
    },
    "RefuseServer": {"password": canary("Refused")},
    "BreakServer": {"password": canary("Broken"), "login": {"adminPass": canary("BrokenNested")}},
    "CrashServer": {
        "password": canary("Crashed"), "extra": [{"name": "DB_PASSWORD", "value": canary("CrashedPair")}],
    },
}  # fmt: skip
HEADERS = {"Authorization": f"Bearer {canary('Bearer')}", "X-Le-Secret": canary("Header"), "Cookie": canary("Cookie")}
JOBS = ("UseTyped", "UseNamed", "FailNamed")


@pytest.fixture(scope="module")
def told() -> Iterator[Receiver]:
    """Where notices go."""
    with receiving() as server:
        yield server


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, told: Receiver) -> dict[str, bytes]:
    """Everything that a deployment shows of the requests and the jobs, by place."""
    folder = tmp_path_factory.mktemp("canary")
    lines = {group: "canary = tests.integration.canary" for group in ("densefog_actions", "densefog_jobs")}
    site = install(folder / "site", "canary", **lines)
    variables = {
        "PYTHONPATH": f"{site}:{ROOT}", "DENSEFOG_METRICS_ENABLED": "true", "DENSEFOG_METRICS_READERS": "anyone",
        "DENSEFOG_SECRET_KEYS": Fernet.generate_key().decode(), "NOTIFY_ALLOW_HTTP": "true", "NOTIFY_CHANNELS": "slack",
        "SLACK_WEBHOOK_URL": told.url(), "DENSEFOG_IDEMPOTENCY_RETENTION": "3600", "DEBUG": "true",
        "LOG_DIR": str(folder / "logs"), "APP_ROOT": str(folder),
    }  # fmt: skip
    process = Process(*SERVE, "--port", "0", cwd=folder, **variables)
    shown: dict[str, bytes] = {}
    try:
        address = process.address()
        for action, params in BODIES.items():
            for number in range(2):
                shown[f"reply {number} of {action}"] = _sent(address, {"action": action, **params})

        def ended() -> list[dict[str, Any]]:
            found = json.loads(_sent(address, {"action": "DescribeJobs"}))["data"]["jobSet"]
            over = [one for one in found if one["status"] in ("finished", "error")]
            return over if len(over) >= len(JOBS) else []

        jobs = eventually(ended, "the end of the jobs")
        for action in ("DescribeJobs", "DescribeOperations", "DescribeActions"):
            shown[action] = _sent(address, {"action": action})
        for page in ("/metrics", "/openapi.json", "/healthz", "/readyz"):
            with urllib.request.urlopen(address + page) as reply:
                shown[page] = reply.read()
        eventually(lambda: told.requests, "a notice")
    finally:
        process.end()
    shown["stderr"] = process.log.encode()
    shown |= {f"notice {number}": body for number, (_, body) in enumerate(told.requests)}
    commands = [("jobs", "list"), ("settings",), ("plugins",), *(("jobs", "show", one["jobId"]) for one in jobs)]
    retried = ("jobs", "retry", next(one["jobId"] for one in jobs if one["action"] == "UseTyped"))
    for command in [*commands, *((*one, "--json") for one in commands), retried]:
        done = run(*DENSEFOG, *command, cwd=folder, **variables)
        shown[" ".join(command)] = f"{done.stdout}{done.stderr}".encode()
    return shown | {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sent(address: str, body: dict[str, Any]) -> bytes:
    asked = urllib.request.Request(address + "/", json.dumps(body).encode(), HEADERS)
    with urllib.request.urlopen(asked) as reply:
        found: bytes = reply.read()
    return found


def test_no_place_shows_a_secret(seen: dict[str, bytes]) -> None:
    """Neither while it is worked with nor afterwards, with ``debug`` switched on."""
    leaks = {place: sorted(set(_marked(text))) for place, text in seen.items() if any(_marked(text))}
    assert leaks == {}


def _marked(text: bytes) -> Iterator[str]:
    for part in text.split(MARKS[0])[1:]:
        word = part[:30].partition(MARKS[1])
        if word[1] and word[0].isalpha():
            yield word[0].decode()


def test_all_that_could_show_one_was_written(seen: dict[str, bytes]) -> None:
    """There are tables, logs, notices and metrics, and each tells of the calls and jobs."""
    assert b"UseTyped" in seen["densefog.db"] and b"RefuseServer" in seen["densefog.db"]
    assert b"in words" in seen["normal.log"] and b"CrashServer" in seen["access.log"] and b"job_step" in seen["sql.log"]
    assert b"RefuseServer" in seen["/metrics"] and b"UseTyped" in b"".join(seen.values())
    assert b"made with ********" in seen["reply 1 of CreateServer"]
    assert any(b"UseTyped" in text for place, text in seen.items() if place.startswith("notice"))
    assert all(b"********" in text for place, text in seen.items() if place.startswith("jobs show"))
    assert [text[-9:] for place, text in seen.items() if place.startswith("jobs retry")] == [b" retried\n"]
