"""What a worker knows of its tries."""

from __future__ import annotations

import gevent
import pytest

from densefog_core.jobs import Job, JobInterrupt, JobShutdown, LeaseLost
from densefog_plugins.worker.tries import Try


@pytest.mark.parametrize("error", [JobShutdown("the worker stops"), LeaseLost("cancelled")])
def test_a_try_that_is_interrupted_before_it_begins_hears_of_it_when_it_does(error: JobInterrupt) -> None:
    """A greenlet that is killed before it runs never does: without this the try would have no outcome."""
    one, heard = Try(Job(id="job-1", action="Work"), 5.0), list[JobInterrupt]()

    def run() -> None:
        try:
            one.begin()
        except JobInterrupt as exc:
            heard.append(exc)

    one.greenlet = gevent.spawn(run)
    one.interrupt(error)
    one.greenlet.join()
    assert heard == [error]


def test_a_try_that_runs_is_interrupted_where_it_yields() -> None:
    one, heard = Try(Job(id="job-1", action="Work"), 5.0), list[JobInterrupt]()

    def run() -> None:
        one.begin()
        try:
            gevent.sleep(60)
        except JobInterrupt as exc:
            heard.append(exc)

    one.greenlet = gevent.spawn(run)
    gevent.sleep(0)
    one.interrupt(LeaseLost("cancelled"))
    one.greenlet.join()
    assert [str(exc) for exc in heard] == ["cancelled"]
