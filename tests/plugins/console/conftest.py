"""A Chromium, and a server whose console is open to this machine."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.process import Process, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
#: Without these flags Chromium asks hosts of its own at each start.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 60_000


class Served:
    """The server in a process of its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"app_root": str(folder), "console_enabled": True, **settings}
        self.process = Process("-m", "tests.plugins.console.program", json.dumps(given))
        self.address = self.process.address()

    @property
    def console(self) -> str:
        """The address of its first page."""
        return f"{self.address}/console"

    def call(self, action: str, **params: Any) -> Any:
        """Return the data of a call."""
        body = json.dumps({"action": action, **params}).encode()
        with urllib.request.urlopen(self.address, body, timeout=60) as response:
            reply = json.load(response)
        assert reply["retCode"] == 0, reply
        return reply["data"]

    def fail(self, error: str, count: int = 1) -> list[str]:
        """Let jobs fail, and return their ids."""
        ids: list[str] = self.call("Start", count=count, error=error)["jobIds"]
        for job_id in ids:
            eventually(lambda job_id=job_id: self.status(job_id) == "error", f"the end of {job_id}", 60)
        return ids

    def status(self, job_id: str) -> str:
        """Return a job's status."""
        status: str = self.call("DescribeJob", jobId=job_id)["status"]
        return status


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("console"), console_open=True)
    yield server
    server.process.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        why = "chromium is not there: apt-get install chromium"
        (pytest.fail if os.environ.get("DENSEFOG_REQUIRE_DATABASES") else pytest.skip)(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose console messages and errors are none."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    made = context.new_page()
    said: list[str] = []
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    yield made
    context.close()
    assert said == []
