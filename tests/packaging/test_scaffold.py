"""A package that ``densefog new`` has written, installed as its users install it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.wheels import Venv, ask, build_wheel

pytestmark = pytest.mark.chaos


def test_a_new_application_is_built_installed_and_served(fresh: Venv, tmp_path: Path):
    fresh.output("densefog", "new", "greeter", "--kind", "app", "--into", tmp_path)
    wheel = build_wheel(tmp_path / "greeter", tmp_path / "wheels")
    with fresh.having(wheel), fresh.serving() as process:
        address = process.address()
        job_id = ask(address, "GreetGreeter", names=["Ada"])["jobId"]
        [job] = ask(address, "DescribeJobs", jobIds=[job_id])["jobSet"]
        assert job["action"] == "GreetGreeter"
