"""An application whose jobs fail, and its API for operators."""

from __future__ import annotations

from typing import Any

import pytest

import densefog_plugins.manage as plugin
from densefog_core import hookimpl
from densefog_core.jobs import JobRegistry
from densefog_core.testing import TestApp, make_app
from densefog_core.testing.app import TestApi


class Cloud:
    """Two kinds of jobs; the first one fails as its params say."""

    @hookimpl
    def densefog_register_jobs(self, registry: JobRegistry) -> None:
        """Register the jobs."""

        def create(params: dict[str, Any]) -> None:
            if params.get("error"):
                raise RuntimeError(params["error"])

        registry.add("Create", create, try_max=1)
        registry.add("Sweep", lambda: None, every="1h")


class Ops:
    """The application with its manage API, called by name."""

    def __init__(self, app: TestApp) -> None:
        self.app = app
        self.api: TestApi = app.api("manage")

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """Return the data of a call that succeeds."""
        reply = self.api.post({"action": action, **params})
        assert reply["retCode"] == 0, reply
        data: dict[str, Any] = reply["data"]
        return data

    def refused(self, action: str, **params: Any) -> dict[str, Any]:
        """Return the reply of a call that does not."""
        reply = self.api.post({"action": action, **params})
        assert reply["retCode"], reply
        return reply

    def fail(self, *errors: str, **options: Any) -> list[str]:
        """Let a job fail with each of these errors; return their ids."""
        ids = [self.app.enqueue("Create", {"error": error}, **options) for error in errors]
        self.app.run_jobs()
        return ids

    def status(self, job_id: str) -> str:
        """Return a job's status."""
        job = self.app.store.get(job_id)
        assert job is not None
        return job.status


@pytest.fixture
def ops() -> Ops:
    return Ops(make_app(plugin, Cloud()))
