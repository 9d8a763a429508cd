"""What a second worker process adds: ``python -m tests.bench.scaling``.

The processes begin together, empty one queue, and no job may have run twice. They share this machine's processors with
the database: how many were in use is shown, and what one process leaves of them limits what a second one can add.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from tests.bench.idle import TICK, new_database
from tests.bench.jobs import densefog, scalar
from tests.databases import KINDS, running

#: What is measured: its name, how many jobs for each process, and the job.
LOADS: tuple[tuple[str, int, str, dict[str, float]], ...] = (
    ("no-op", 10_000, "Noop", {}),
    ("1 ms of computing", 2_000, "Work", {"seconds": 0.001}),
    ("10 ms of waiting", 2_000, "Wait", {"seconds": 0.01}),
)


def busy_seconds() -> float:
    """Return the seconds that this machine's processors were in use."""
    user, nice, system, _idle, _iowait, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + sum(interrupts)) / TICK


def drain(url: str, count: int, name: str, params: dict[str, float], processes: int) -> tuple[float, float]:
    """Empty a queue; return the jobs a second, and how many processors were in use."""
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder, "gate")
        gate.mkdir()
        queue = densefog("densefog", url, folder, BENCH_GATE=str(gate))
        queue.fill(count, name, params)
        with queue.working(processes):
            while len(list(gate.iterdir())) < processes:
                time.sleep(0.01)
            started, before = time.monotonic(), busy_seconds()
            (gate / "go").touch()
            rate = queue.emptied(count)
            used = (busy_seconds() - before) / (time.monotonic() - started)
    twice = scalar(url, "SELECT COUNT(*) FROM job WHERE trys <> 1")()
    assert twice == 0, f"{twice} jobs ran twice"
    return rate, used


def main() -> None:
    """Measure and print; the median of the rounds counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors{'one':>38}{'in use':>8}{'two':>8}{'in use':>8}{'times':>8}")
    for kind in KINDS:
        with nullcontext() if kind == "sqlite" else running(kind) as server:
            for title, count, name, params in LOADS:
                found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
                for _ in range(options.rounds):
                    for processes, runs in found.items():
                        with new_database(kind, server) as url:
                            runs.append(drain(url, count * processes, name, params, processes))
                (one, one_used), (two, two_used) = (map(median, zip(*runs, strict=True)) for runs in found.values())
                print(f"{kind:12}{title:20}{one:14.0f}/s{one_used:8.2f}{two:6.0f}/s{two_used:8.2f}{two / one:8.2f}",
                      flush=True)


if __name__ == "__main__":
    main()
