"""No storms: what is sent at once, what is counted, and that a channel's rate is never exceeded."""

import random

import pytest

from densefog_core.jobs import Job
from densefog_core.notices.records import Notification
from densefog_core.notify_storm import MAX_KINDS, MINUTE, Storm, fold


def notice(number=0, failure="ValueError at a.py:1 in f", topic="gave_up", action="Work"):
    return Notification(topic=topic, job=Job(id=f"job-{number:010d}", action=action), failure=failure)


def admit(storm, one, now):
    return storm.admit(one.key, one.job, now)


def play(storm, events, until):
    """Feed (time, notice) pairs, in order, to a storm as its channel would; return (time, what was sent)."""
    sent, now = [], 0.0
    waiting = list(events)
    while now <= until:
        due = storm.due(now)
        following = waiting[0][0] if waiting else until + 1
        if due is not None and now + due <= following:
            now += due
            sent.append((now, storm.digest(now)))
        elif waiting:
            now, one = waiting.pop(0)
            if admit(storm, one, now):
                sent.append((now, one))
        else:
            break
    return sent


def most_in_a_minute(sent):
    times = [at for at, _ in sent]
    return max(sum(start <= at < start + MINUTE for at in times) for start in times)


def test_the_same_failure_is_told_once_and_then_counted():
    sent = play(Storm(5, 60), [(second, notice(second)) for second in range(30)], 300)
    assert [(at, one.topic) for at, one in sent] == [(0, "gave_up"), (60, "digest")]
    [count] = sent[1][1].counts
    assert (count.action, count.failure, count.count) == ("Work", "ValueError at a.py:1 in f", 30)


def test_failures_are_told_apart_by_action_exception_frame_and_topic():
    different = [
        notice(), notice(action="Other"), notice(failure="ValueError at a.py:2 in f"), notice(topic="failed"),
    ]  # fmt: skip
    storm = Storm(5, 60)
    assert [admit(storm, one, 0.0) for one in different] == [True] * 4
    assert [admit(storm, one, 1.0) for one in different] == [False] * 4


@pytest.mark.parametrize("kinds", [1, 3, 20, 1000])
def test_1000_failures_in_a_minute_make_at_most_5_notices_and_the_digest_names_them_all(kinds):
    events = [(number * 0.06, notice(number, f"E at {number % kinds}")) for number in range(1000)]
    sent = play(Storm(5, 60), events, 300)
    assert len(sent) <= 5
    digest = sent[-1][1]
    assert sum(one.count for one in digest.counts) == 1000
    assert len(digest.counts) == kinds
    assert digest.title == "1000 notices of jobs in 60 s: Work 1000"


@pytest.mark.parametrize("rate", [1, 2, 5, 30])
@pytest.mark.parametrize("seed", range(5))
def test_the_rate_is_never_exceeded_and_nothing_is_uncounted(rate, seed):
    chance = random.Random(seed)
    events, now = [], 0.0
    for number in range(2000):
        now += chance.expovariate(2.0)
        topic = chance.choice(["failed", "gave_up", "recovered", "started"])
        events.append((now, notice(number, f"E{chance.randrange(40)}", topic)))
    sent = play(Storm(rate, 60), events, now + 600)
    assert most_in_a_minute(sent) <= rate
    digests = [one for _, one in sent if one.topic == "digest"]
    told = sum(count.count for one in digests for count in one.counts)
    assert told >= 2000 - (len(sent) - len(digests))
    assert told <= 2000


def test_a_failure_that_goes_on_makes_one_digest_a_window():
    sent = play(Storm(5, 60), [(second, notice(second)) for second in range(600)], 1000)
    assert [one.topic for _, one in sent] == ["gave_up"] + ["digest"] * (len(sent) - 1)
    assert len(sent) == 11


def test_after_a_quiet_window_a_failure_is_told_anew():
    sent = play(Storm(5, 60), [(0.0, notice(1)), (61.0, notice(2))], 300)
    assert [at for at, _ in sent] == [0.0, 61.0]


def test_a_rate_of_0_sends_everything():
    storm = Storm(0, 60)
    assert all(admit(storm, notice(), 0.0) for _ in range(100))
    assert storm.due(0.0) is None


def test_the_memory_of_a_storm_is_bounded():
    storm = Storm(5, 60)
    for number in range(MAX_KINDS * 2):
        admit(storm, notice(number, f"E{number}"), 0.0)
    digest = storm.digest(60.0)
    assert len(digest.counts) == MAX_KINDS + 1
    assert sum(one.count for one in digest.counts) == 2 * MAX_KINDS
    assert digest.counts[0].failure == "other failures"


def test_folding_sends_few_as_they_are_and_many_as_a_digest():
    few = [notice(1, "A"), notice(2, "B")]
    assert fold(few, 4, 10.0) == [(one, [one]) for one in few]
    many = [notice(number, f"E{number % 9}") for number in range(90)]
    folded = fold(many, 4, 10.0)
    assert [one.topic for one, _ in folded] == ["gave_up"] * 4 + ["digest"]
    assert sum(len(parts) for _, parts in folded) == 90
    assert sum(one.count for one in folded[-1][0].counts) == 90
