"""The context: one scope for each request and job, carried across threads on demand, torn down at its end."""

import re
import threading

import gevent
import pytest

from densefog_core.actions import Request, request
from densefog_core.context import carry, entered, get_context_id, new_context_id
from densefog_core.jobs import Job, RunningJob, current_job

JOB = Job(id="job-abcdefghij", action="X", trys=1)


def a_request(**fields):
    return Request("public", "DescribeVolumes", {}, **fields)


def test_a_requests_id_has_the_contracts_form():
    assert re.fullmatch(r"ctx-\d+-[2-9A-HJ-NP-Za-km-z]{4}", new_context_id())


def test_a_jobs_context_id_is_the_end_of_its_own():
    with entered(RunningJob(JOB, None)):
        assert get_context_id() == "ghij"


def test_outside_there_is_no_id_and_the_proxies_say_how_to_carry_them():
    assert get_context_id() == "-"
    assert not request
    assert repr(request) == "<no request runs here>"
    with pytest.raises(RuntimeError, match=r"no request runs here; in a new thread or greenlet, .*carry"):
        _ = request.action
    with pytest.raises(RuntimeError, match="no job runs here"):
        _ = current_job.id


def test_proxies_stand_for_what_runs_and_middleware_can_set_attributes():
    with entered(a_request()) as real:
        request.project_id = "p-1"
        assert real.project_id == "p-1"
        assert request.action == "DescribeVolumes"
        assert bool(request)
        assert not current_job


def test_scopes_nest_and_end():
    with entered(a_request(context_id="outer")):
        with entered(RunningJob(JOB, None)):
            assert current_job.action == "X"
            assert not request
        assert get_context_id() == "outer"
    assert get_context_id() == "-"


@pytest.mark.parametrize(
    "start",
    [
        lambda work: threading.Thread(target=work),
        lambda work: gevent.Greenlet(work),
    ],
    ids=["thread", "greenlet"],
)
def test_a_new_thread_or_greenlet_has_no_context_unless_it_is_carried(start):
    seen = []
    with entered(a_request(context_id="mine")):
        for work in (lambda: seen.append(get_context_id()), carry(lambda: seen.append(get_context_id()))):
            one = start(work)
            one.start()
            one.join()
    assert seen == ["-", "mine"]


def test_greenlets_that_switch_keep_their_own_scopes():
    def work(name):
        with entered(a_request(context_id=name)):
            for _ in range(5):
                gevent.sleep(0)
                assert get_context_id() == name
        return name

    names = [f"n{i}" for i in range(20)]
    greenlets = [gevent.spawn(work, name) for name in names]
    assert [one.get() for one in greenlets] == names


def test_clean_up_runs_in_reverse_even_when_one_fails(caplog):
    order = []
    with entered(a_request()) as scope:
        scope.on_teardown(lambda: order.append("first"))
        scope.on_teardown(lambda: 1 / 0)
        scope.on_teardown(lambda: order.append("last"))
    assert order == ["last", "first"]
    assert "ZeroDivisionError" in caplog.text


def test_a_job_shows_its_record_and_whether_it_is_the_last_chance():
    running = RunningJob(Job(id="job-abcdefghij", action="X", trys=3, try_max=3), None)
    assert running.is_last_chance
    assert running.trys == 3
