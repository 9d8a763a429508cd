"""Jobs in steps whose process is killed before, within and after steps; see `test_steps`."""

from __future__ import annotations

import os
import random
import signal
from typing import Any

from densefog_core.jobs import RunningJob, job
from tests.chaos.jobs import trace

STEPS = 4
#: How likely the process is killed at each of three places of a step.
RISK = 0.04


@job(try_max=1000, try_period=0)
def climb(job: RunningJob, params: dict[str, Any]) -> list[int]:
    """Do steps, in a process that may end at any line."""
    chance = random.Random(f"{job.id} {job.trys}")

    def die() -> None:
        if chance.random() < RISK:
            os.kill(os.getpid(), signal.SIGKILL)

    def do(number: int) -> int:
        trace("did", job.id, number, job.trys)
        die()
        return number

    done = []
    for number in range(STEPS):
        die()
        done.append(job.step(str(number), lambda number=number: do(number)))
        die()
    return done
