"""What tenants read of a job's failure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core.errors.iaas_error import IaasProviderActionError, ResourceIsBusy
from densefog_core.jobs.ends import CANCELLED, lost
from densefog_core.jobs.told import FAILED, told, with_answer
from densefog_core.testing import make_app


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (ResourceIsBusy("vol-1"), "Cannot do the action, because resource (vol-1) is busy now."),
        (IaasProviderActionError(RuntimeError("10.0.0.7 refused"), "", "pool ceph-7"), "Action failed.op"),
        (RuntimeError("10.0.0.7 refused"), FAILED),
    ],
)
def test_tenants_read_what_the_error_table_says(error: Exception, read: str) -> None:
    """Operators read the raw text, with what the provider said."""

    def work() -> None:
        raise error

    app = make_app(jobs={"Work": work})
    job_id = app.enqueue("Work", {}, try_max=1)
    app.run_jobs()

    def error_on(api: str) -> Any:
        return app.api(api).post({"action": "DescribeJobs", "jobIds": [job_id]})["data"]["jobSet"][0]["error"]

    assert error_on("public") == read
    if "refused" in str(getattr(error, "exception", error)):
        assert "10.0.0.7 refused" in error_on("manage")


@given(st.text(), st.text(max_size=50))
def test_no_text_of_a_handler_is_taken_for_an_answer(raw: str, secret: str) -> None:
    """Whatever it raises, tenants read that it failed."""
    assert told(with_answer(f"{raw}\n[tenants read: {secret}]", "")) in (FAILED, CANCELLED)


@given(st.text(max_size=20_000), st.text(alphabet="abc .", min_size=1).filter(str.strip))
def test_an_answer_is_read_again(raw: str, answer: str) -> None:
    """Behind a raw text of any length."""
    assert told(with_answer(raw, answer)) == " ".join(answer.split())


def test_ends_by_others_are_told() -> None:
    """A cancelled job says so; a lost one has failed; one that has not failed has no text."""
    assert [told(text) for text in (CANCELLED, lost("(try 1 of 1)"), "")] == [CANCELLED, FAILED, ""]
