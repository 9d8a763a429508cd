"""The suites for plugins' authors: what is sound passes them, and each promise that is broken is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from densefog_core.jobs import JobFilter
from densefog_core.notices.records import DeliveryError
from densefog_core.redact import redact
from densefog_core.testing import ChannelConformance, FrozenClock, MemoryStore, RecordingChannel, StoreConformance


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore(FrozenClock())

    def elapse(self, store, seconds):
        store._clock.advance(seconds)


class TestRecordingChannel(ChannelConformance):
    @pytest.fixture
    def channel(self):
        return RecordingChannel()


# -- stores that break one promise -----------------------------------------------------------------------------


class _Forgetful(MemoryStore):
    def enqueue(self, jobs, session=None):
        return super().enqueue([replace(job, project_id="prj-other") for job in jobs])


class _Silent(MemoryStore):
    def enqueue(self, jobs, session=None):
        told, self.on_enqueued = self.on_enqueued, lambda: None
        try:
            return super().enqueue(jobs)
        finally:
            self.on_enqueued = told


class _Overwriting(MemoryStore):
    def enqueue(self, jobs, session=None):
        for job in jobs:
            self.jobs.pop(job.id, None)
        return super().enqueue(jobs)


class _Hasty(MemoryStore):
    def claim(self, limit, actions, name=""):
        for job in self._in("pending"):
            self._put(job, run_at=job.created)
        return super().claim(limit, actions, name)


class _Uncounted(MemoryStore):
    def claim(self, limit, actions, name=""):
        return [replace(job, trys=job.trys - 1) for job in super().claim(limit, actions, name)]


class _Doubling(MemoryStore):
    def claim(self, limit, actions, name=""):
        return [job for job in super().claim(limit, actions, name) for _ in (1, 2)]


class _Fenceless(MemoryStore):
    def _holds(self, lease):
        return lease.job_id in self.jobs


class _Leaking(MemoryStore):
    def _put(self, job, **changes):
        return super()._put(job, **{name: value for name, value in changes.items() if name != "params"})


class _Masking(MemoryStore):
    def _put(self, job, **changes):
        masked = {"params": redact(changes["params"])} if "params" in changes else {}
        return super()._put(job, **(changes | masked))


class _Impatient(MemoryStore):
    def finish(self, outcomes, *, native=False):
        return super().finish([replace(one, delay=0) for one in outcomes])


class _Counting(MemoryStore):
    def finish(self, outcomes, *, native=False):
        return super().finish([replace(one, status="retry") if one.status == "released" else one for one in outcomes])


class _Stubborn(MemoryStore):
    def finish(self, outcomes, *, native=False):
        written = [replace(one, status="finished") if one.status == "dropped" else one for one in outcomes]
        return super().finish(written)


class _Heartless(MemoryStore):
    def beat(self, leases, *, native=False):
        return [lease for lease in leases if not self._holds(lease)]


class _Abandoning(MemoryStore):
    def reclaim(self, seen, lease_seconds):
        return []


class _Careful(MemoryStore):
    """Takes back nothing that was renewed, and forgets what it was asked."""

    def _taken_back(self, seen):
        return super()._taken_back(replace(seen, unsure=False)) if seen.updated else None


class _Hurried(MemoryStore):
    def _taken_back(self, seen):
        return super()._taken_back(replace(seen, updated=None))


class _Nameless(MemoryStore):
    def give_back(self, names):
        return []


class _Doubtful(MemoryStore):
    def _says(self, outcome):
        return False


class _Endless(MemoryStore):
    def _reclaim(self, job):
        return self._put(job, status="pending")


class _Unstoppable(MemoryStore):
    def cancel(self, job_ids):
        return [self._end(job, "cancelled") for job in self._named(job_ids, "pending")]


class _Gullible(MemoryStore):
    """Writes what a handler raised as it stands."""

    def _end(self, job, error):
        return super()._end(job, error.removeprefix("failed: "))


class _Forgiving(MemoryStore):
    def _reclaim(self, job):
        return self._end(job, job.error or "worker lost")


class _Once(MemoryStore):
    def retry(self, job_ids):
        return [self._put(job, status="pending", run_at=self._clock(), error="").id for job in self._named(
            job_ids, "finished", "error", "pending")]


class _Masked(MemoryStore):
    def retry(self, job_ids):
        return [self._put(job, status="pending", run_at=self._clock(), error="", try_max=job.trys + 1).id
                for job in self._named(job_ids, "finished", "error")]


class _Later(MemoryStore):
    def run_now(self, job_ids):
        return [job.id for job in self._named(job_ids, "pending")]


class _Discreet(MemoryStore):
    def _end(self, job, error):
        told, self.last_failures = self.last_failures, {}
        try:
            return super()._end(job, error)
        finally:
            self.last_failures = told


class _Fragile(MemoryStore):
    def _end(self, job, error):
        if job.action in self.last_failures:
            self.last_failures[job.action](job)
        return super()._end(job, error)


class _Unsorted(MemoryStore):
    def page(self, which):
        return super().page(replace(which, reverse=True))


class _Unfiltered(MemoryStore):
    def page(self, which):
        return super().page(JobFilter(limit=which.limit, offset=which.offset, reverse=which.reverse))


class _Greedy(MemoryStore):
    def prune(self, older_than, limit=500):
        return super().prune(-5, limit)


class _Careless(MemoryStore):
    def unhandled(self, actions):
        return sorted({job.action for job in self.jobs.values()} - set(actions))


class _Idle(MemoryStore):
    def stats(self):
        return {**super().stats(), "oldest_pending_seconds": None}


class _Aimless(MemoryStore):
    def find(self, which, limit, look=10_000):
        return super().find(replace(which, after=None, actions=None, error=None), limit)


class _Blurred(MemoryStore):
    def failures(self, look=10_000):
        return [one._replace(error=self.jobs[one.id].error) for one in super().failures()]


#: Each promise, with stores that do not keep it.
BROKEN = {
    "test_a_new_job_is_kept_as_it_was_given": [_Forgetful],
    "test_ids_are_returned_in_order_and_workers_are_woken_once": [_Silent],
    "test_a_key_makes_one_job_of_many": [_Overwriting],
    "test_a_claim_takes_the_oldest_due_jobs_of_the_actions_it_is_asked_for": [_Hasty],
    "test_a_claim_counts_the_try": [_Uncounted],
    "test_claims_at_the_same_time_never_take_the_same_job": [_Doubling],
    "test_a_finished_job_keeps_its_result_and_loses_its_secrets": [_Leaking, _Fenceless],
    "test_a_failed_job_keeps_its_error_and_loses_its_secrets": [_Leaking],
    "test_a_job_that_is_tried_again_waits_and_keeps_its_secrets": [_Impatient],
    "test_a_released_job_is_due_again_and_its_try_does_not_count": [_Counting],
    "test_a_dropped_outcome_writes_nothing": [_Stubborn],
    "test_a_stale_try_can_write_nothing": [_Fenceless],
    "test_progress_is_written_under_the_fence": [_Fenceless],
    "test_a_beat_keeps_the_lease_and_tells_what_is_lost": [_Heartless, _Fenceless],
    "test_jobs_without_a_beat_are_taken_back": [_Abandoning],
    "test_a_job_renewed_since_it_was_seen_is_left_alone": [_Hurried, _Abandoning],
    "test_a_job_whose_holder_is_dead_is_taken_back": [_Careful],
    "test_what_an_unanswered_claim_took_is_given_back": [_Nameless],
    "test_an_end_whose_answer_was_lost_is_known": [_Doubtful],
    "test_a_lost_job_whose_answer_was_lost_is_known": [_Careful],
    "test_a_job_that_loses_its_last_worker_ends": [_Abandoning, _Endless, _Leaking],
    "test_cancel_ends_pending_and_running_jobs_only": [_Unstoppable, _Fenceless, _Leaking],
    "test_no_text_of_a_handler_reads_like_another_end": [_Gullible],
    "test_a_text_of_an_earlier_try_is_no_lost_try": [_Forgiving],
    "test_retry_puts_ended_jobs_back_with_one_more_try": [_Once],
    "test_retry_leaves_jobs_alone_whose_secrets_are_gone": [_Masked],
    "test_sealed_params_stay_and_such_a_job_can_be_retried": [_Masking],
    "test_run_now_makes_pending_jobs_due": [_Later],
    "test_the_application_is_told_of_each_job_that_ends_as_an_error": [_Discreet],
    "test_a_job_ends_whatever_the_application_raises": [_Fragile],
    "test_pages_are_filtered_ordered_and_counted": [_Unsorted, _Unfiltered],
    "test_a_search_finds_the_jobs_of_a_status_page_by_page": [_Aimless],
    "test_a_search_has_filters": [_Aimless],
    "test_a_search_with_a_filter_looks_only_so_far": [_Aimless],
    "test_the_newest_failures_are_read": [_Blurred],
    "test_prune_deletes_jobs_that_ended_long_ago": [_Greedy],
    "test_due_jobs_that_nobody_handles_are_named": [_Careless],
    "test_jobs_are_counted_by_action_and_status": [_Idle],
}


def test_each_promise_of_a_store_has_one_that_breaks_it():
    assert set(BROKEN) == {name for name in vars(StoreConformance) if name.startswith("test_")}


@pytest.mark.parametrize(
    ("promise", "store"), [(promise, store) for promise, stores in BROKEN.items() for store in stores]
)
def test_a_store_that_breaks_a_promise_does_not_pass(promise, store):
    # A store that breaks one promise may trip over another before that.
    with pytest.raises((AssertionError, ValueError, ZeroDivisionError)):
        getattr(TestMemoryStore(), promise)(store(FrozenClock()))


# -- channels that break one promise ---------------------------------------------------------------------------


class _Channel:
    topics = ("failed", "gave_up")

    def send(self, notification):
        raise DeliveryError("nobody is there")


class _Mistaken(_Channel):
    topics = ("failed", "succeeded")


class _Deaf(_Channel):
    topics = ()


class _Ascii(_Channel):
    def send(self, notification):
        notification.text.encode("ascii")


class _Narrow(_Channel):
    def send(self, notification):
        {"failed": 1, "gave_up": 2}[notification.topic]


class _Short(_Channel):
    def send(self, notification):
        if len(notification.text) > 10_000:
            raise ValueError("too long")


class _Wordy(_Channel):
    def send(self, notification):
        return {"ok": True}


def test_a_channel_may_refuse_every_notice():
    for name in _promises():
        getattr(ChannelConformance(), name)(_Channel())


@pytest.mark.parametrize(
    ("promise", "channel"),
    [
        ("test_it_wants_topics_that_there_are", _Mistaken),
        ("test_it_wants_topics_that_there_are", _Deaf),
        ("test_it_sends_notices_of_each_topic", _Narrow),
        ("test_no_text_breaks_it", _Ascii),
        ("test_no_text_breaks_it", _Short),
        ("test_it_can_be_used_again", _Wordy),
    ],
)
def test_a_channel_that_breaks_a_promise_does_not_pass(promise, channel):
    with pytest.raises(AssertionError):
        getattr(ChannelConformance(), promise)(channel())


def _promises():
    return [name for name in vars(ChannelConformance) if name.startswith("test_")]
