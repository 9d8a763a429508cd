"""What operators read of jobs."""

from __future__ import annotations

from tests.plugins.manage.conftest import Ops


def test_failures_are_grouped_by_cause(ops: Ops) -> None:
    """The most frequent first, with the newest job of each."""
    ids = ops.fail("no room for vol-8NkZQZ6u", "no room for vol-xW2fYq4T", "timeout after 3 s")
    data = ops.call("DescribeFailures")
    first, second = data["failureSet"]
    assert (first["jobs"], first["action"], first["text"]) == (2, "Create", "no room for vol-*")
    assert first["jobId"] in ids[:2]
    assert (second["jobs"], second["text"]) == (1, "timeout after * s")
    assert (data["lookedAt"], data["capped"]) == (3, False)
    assert ops.call("DescribeFailures", actions=["Sweep"])["failureSet"] == []
    assert ops.call("DescribeFailures", projectId="prj-1")["failureSet"] == []


def test_jobs_are_counted_by_status(ops: Ops) -> None:
    """With what waits, and what nobody handles."""
    ops.fail("a")
    ops.app.enqueue("Create", {})
    data = ops.call("DescribeJobStats")
    assert {row["status"]: row["count"] for row in data["counts"]} == {
        "error": 1, "pending": 1, "running": 0, "finished": 0,
    }  # fmt: skip
    assert data["oldestDue"] >= 0
    assert data["unhandled"] == []


def test_a_job_is_shown_with_its_own_error(ops: Ops) -> None:
    """Its params without secrets."""
    [job_id] = ops.fail("no room for vol-8NkZQZ6u")
    data = ops.call("DescribeJob", jobId=job_id)
    assert (data["status"], data["error"]) == ("error", "no room for vol-8NkZQZ6u")
    assert (data["params"], data["hasSecrets"]) == ({"error": "no room for vol-8NkZQZ6u"}, False)
    assert ops.refused("DescribeJob", jobId="job-none")["retCode"] != 0


def test_jobs_are_found_page_by_page(ops: Ops) -> None:
    """A token leads on; the last page has none."""
    ids = ops.fail(*"abc")
    first = ops.call("FindJobs", status="error", limit=2)
    second = ops.call("FindJobs", status="error", limit=2, nextToken=first["nextToken"])
    assert sorted(job["jobId"] for page in (first, second) for job in page["jobSet"]) == sorted(ids)
    assert second["nextToken"] is None
    assert ops.refused("FindJobs", nextToken="nonsense")["data"]["errors"][0]["path"] == "/nextToken"


def test_one_job_is_found_by_its_error(ops: Ops) -> None:
    """Whatever the case of its letters."""
    ids = ops.fail("Disk full", "timeout")
    [job] = ops.call("FindJobs", status="error", error="disk")["jobSet"]
    assert job["jobId"] == ids[0]
