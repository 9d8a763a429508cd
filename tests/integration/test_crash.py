"""A worker that is killed, and the one that comes after it."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from tests.integration.conftest import Start
from tests.integration.process import data, eventually
from tests.integration.test_roles import statuses

JOBS = 6


def test_jobs_of_a_killed_worker_are_finished_by_the_next_one_and_none_twice(start: Start, tmp_path: Path):
    trace = tmp_path / "trace"
    address = start("api").address()
    first = start("worker", WORKER_LEASE="4")
    ids = data(address, "StartJobs", job="Gated", count=JOBS)["jobIds"]
    eventually(lambda: trace.exists() and trace.read_text().count("begin") == JOBS, "the beginning of all jobs")
    first.signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert set(statuses(tmp_path).values()) == {("running", 1)}

    (tmp_path / "gate").touch()
    second = start("worker", WORKER_LEASE="4")
    eventually(lambda: set(statuses(tmp_path).values()) == {("finished", 2)}, "the end of all jobs")
    eventually(lambda: trace.read_text().count("finished") == JOBS, "the events")
    lines = [line.split() for line in trace.read_text().splitlines()]
    seen = Counter((word, job_id, int(pid) == second.popen.pid) for word, job_id, pid in lines)
    expected = {("begin", False): 1, ("begin", True): 1, ("end", True): 1, ("finished", True): 1}
    assert seen == {(word, job_id, new): n for job_id in ids for (word, new), n in expected.items()}
    assert second.log.count("its worker is gone; it is pending (try 1 of 5)") == JOBS
