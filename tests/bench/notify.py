"""Jobs a second with a channel that hangs, over those without channels: ``python -m tests.bench.notify``.

One worker process empties a queue in SQLite, of jobs that succeed and of jobs that fail at once. Slack hangs: its
webhook is a server that takes each request and says nothing. Beside it stands the worst channel that there can be: it
asks for every topic, so that each job makes two notices or more, and never comes back from the first. The workers take
turns, and the best round of each counts, since other work on the machine can only make one slower. Exits 1 when Slack's
ratio is below 0.95.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.plugins.models.stores import make_job
from tests.plugins.receiver import nothing, receiving
from tests.plugins.worker.processes import Site

LEAST = 0.95


def rate(action: str, count: int, settings: dict[str, str]) -> float:
    """Return the jobs a second of one worker that empties a queue."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = Site(folder, f"sqlite:///{folder}/densefog.db", "tests.bench.notifying")
        site.store.enqueue([make_job(action, try_max=1) for _ in range(count)])
        with site.worker(**settings, WORKER_EXEC_SIZE=50, WORKER_PICK_SIZE=50, DRAIN_TIMEOUT=0.1, LOG_DIR=name):
            began, before = 0.0, 0
            while (done := ended(site)) < count:
                if done and not before:
                    began, before = time.monotonic(), done
                time.sleep(0.02)
            seconds = time.monotonic() - began
        site.close()
    return (count - before) / seconds


def ended(site: Site) -> int:
    """Return how many jobs have ended."""
    rows = site.store.stats()["jobs"]
    return sum(row["count"] for row in rows if row["status"] in ("finished", "error"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs of each round that succeed; a fifth of it fail")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    low = False
    with receiving(nothing) as server:
        kinds = {
            "without channels": {"NOTIFY_CHANNELS": ","},
            "slack hangs": {
                "NOTIFY_CHANNELS": "slack", "SLACK_WEBHOOK_URL": server.url(), "NOTIFY_ALLOW_HTTP": "true",
            },
            "every topic hangs": {"NOTIFY_CHANNELS": "hanging", "BENCH_HANG": "1"},
        }  # fmt: skip
        for action, count in (("Work", options.jobs), ("Fail", options.jobs // 5)):
            rounds = [[rate(action, count, settings) for settings in kinds.values()] for _ in range(options.rounds)]
            best = [max(column) for column in zip(*rounds, strict=True)]
            for name, jobs in zip(kinds, best, strict=True):
                print(f"{action:5} {name:18} {jobs:8.0f} jobs/s  {jobs / best[0]:.3f}", flush=True)
            low = low or best[1] < LEAST * best[0]
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
