"""Workers killed and paused at random while the database restarts: every job ends once, nobody writes out of turn."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from densefog_core.jobs import Job, JobFilter
from tests.databases import KINDS, Server, new_database
from tests.plugins.models.stores import make_job
from tests.plugins.worker.processes import Site

pytestmark = pytest.mark.chaos

WORKERS = 6
JOBS = 1_200
#: Seconds of chaos, and until every job must have ended after it.
CHAOS = 25.0
PATIENCE = 60.0
#: Seconds in which a paused worker's jobs have gone to others and run there: a lease, and until somebody looks.
LONG_PAUSE = 8.0
#: Workers that are neither paused nor just started; they have slots for everything, so that nothing waits.
AWAKE, SLOTS = 3, 30


class Crowd:
    """Workers, and what happens to them."""

    def __init__(self, site: Site, chance: random.Random, **settings: object) -> None:
        self._site = site
        self._chance = chance
        self._settings = settings
        self._stack = ExitStack()
        self._paused: dict[subprocess.Popen[bytes], float] = {}
        self.workers = [self._start() for _ in range(WORKERS)]
        self.did: Counter[str] = Counter()

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {"worker_exec_size": SLOTS, "worker_pick_size": SLOTS, **self._settings}
        return self._stack.enter_context(self._site.worker(**settings))

    def disturb(self) -> None:
        """Kill one, paused or not, and start another; or pause one. Wake those whose pause is over."""
        awake = [one for one in self.workers if one not in self._paused]
        if self._chance.random() < 0.4:
            self._kill(self._chance.choice(self.workers))
        elif len(awake) > AWAKE:
            self._pause(self._chance.choice(awake))
        self.wake(time.monotonic())

    def _kill(self, victim: subprocess.Popen[bytes]) -> None:
        self.did["killed"] += 1
        self._paused.pop(victim, None)
        victim.kill()
        victim.wait()
        self.workers[self.workers.index(victim)] = self._start()

    def _pause(self, victim: subprocess.Popen[bytes]) -> None:
        self.did["paused"] += 1
        victim.send_signal(signal.SIGSTOP)
        self._paused[victim] = time.monotonic() + self._chance.choice((0.5, LONG_PAUSE, LONG_PAUSE))

    def wake(self, now: float = float("inf")) -> None:
        """Let those go on whose pause is over."""
        for victim, until in list(self._paused.items()):
            if until <= now:
                victim.send_signal(signal.SIGCONT)
                del self._paused[victim]

    def end(self) -> list[int]:
        """Let all drain; return their exit codes."""
        self.wake()
        for one in self.workers:
            one.terminate()
        codes = [one.wait(30) for one in self.workers]
        self._stack.close()
        return codes

    def destroy(self) -> None:
        """Leave no process behind, whatever happened."""
        for one in self.workers:
            one.kill()
        self._stack.close()


def enqueue(site: Site, chance: random.Random) -> Callable[[int], None]:
    """Return what enqueues the next jobs; while the database is away it tries the same keys again."""
    jobs = [make_job("Work", {"seconds": round(duration(chance), 2)}, key=str(n), try_max=1000, try_period=0)
            for n in range(JOBS)]

    def more(batch: int) -> None:
        try:
            site.store.enqueue(jobs[:batch])
        except DBAPIError:
            return
        del jobs[:batch]

    return more


def duration(chance: random.Random) -> float:
    return chance.uniform(3, 6) if chance.random() < 0.2 else chance.uniform(0.1, 1.0)


def run(
    site: Site, seed: int, *, restart: Callable[[], object] | None = None, **settings: object
) -> tuple[list[Job], Counter[str]]:
    """Let chaos reign; return the jobs as they ended, and what was done to the workers."""
    chance = random.Random(seed)
    more = enqueue(site, chance)
    more(JOBS // 6)
    crowd = Crowd(site, chance, **settings)
    done = threading.Event()

    def feed() -> None:
        # So that there is work for as long as there is chaos. In a thread: a paused worker may hold SQLite's lock.
        while not done.wait(CHAOS / 40):
            more(JOBS // 48)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        begin = time.monotonic()
        while time.monotonic() < begin + CHAOS:
            time.sleep(chance.uniform(0.3, 1.0))
            crowd.disturb()
            if restart is not None and time.monotonic() > begin + CHAOS / 2:
                restart()
                restart = None
        crowd.wake()
        deadline = time.monotonic() + PATIENCE
        while unfinished(site) or len(everything(site)) < JOBS:
            assert time.monotonic() < deadline, site.log[-5000:]
            time.sleep(0.3)
        assert crowd.end() == [0] * WORKERS, site.log[-5000:]
    finally:
        crowd.destroy()
        done.set()
        feeder.join()
    return everything(site), crowd.did


def unfinished(site: Site) -> int:
    return site.store.page(JobFilter(status=["pending", "running"], limit=1))[1]


def everything(site: Site) -> list[Job]:
    jobs: list[Job] = []
    while page := site.store.page(JobFilter(limit=100, offset=len(jobs), reverse=False))[0]:
        jobs += page
    return jobs


def violations(site: Site, jobs: list[Job]) -> list[str]:
    """Return what must never be: jobs accepted twice, and results of tries that had lost their lease."""
    accepted = Counter(line[1] for line in site.trace("finished"))
    found = [f"{job_id} was accepted {times} times" for job_id, times in accepted.items() if times > 1]
    for job in jobs:
        if job.result.split()[0] != str(job.trys):
            found.append(f"{job.id}: try {job.trys} holds the lease, and the result is of try {job.result}")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_job_ends_once_whatever_happens_to_its_workers(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """6 workers, 1,200 jobs; the database server is killed and comes back."""
    restart = None
    if kind != "sqlite":
        server: Server = request.getfixturevalue(kind)
        # Of PostgreSQL, SIGQUIT is the end without any tidying up; a killed one leaves its children.
        number = signal.SIGKILL if kind == "mariadb" else signal.SIGQUIT
        restart = lambda: server.restart(number)  # noqa: E731
    with new_database(kind, request) as url:
        site = Site(tmp_path, url, "tests.chaos.jobs")
        jobs, did = run(site, seed=1, restart=restart)
        assert len(jobs) == JOBS
        assert {job.status for job in jobs} == {"finished"}
        assert violations(site, jobs) == []
        starts = Counter(line[1] for line in site.trace("started"))
        # It was no idle hour: workers died and slept, and jobs ran again.
        assert did["killed"] >= 5 and did["paused"] >= 5
        assert sum(job.trys > 1 for job in jobs) >= 20 and sum(starts.values()) > JOBS
        assert "is lost; its outcome" in site.log or "LeaseLost" in site.log
        site.close()


def test_without_the_fence_the_same_chaos_is_noticed(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path}/jobs.db", "tests.chaos.jobs")
    jobs, _ = run(site, seed=1, densefog_store="unfenced")
    assert violations(site, jobs)
    site.close()
