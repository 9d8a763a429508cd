"""The parts of the store in memory that long work needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from densefog_core.flow.pauses import Pause, Pauses
from densefog_core.flow.steps import Step
from densefog_core.jobs import Lease


class MemorySteps:
    """Steps in memory.

    Args:
        holds: whether a lease still holds.
        clock: gives the time.
    """

    def __init__(self, holds: Callable[[Lease], bool], clock: Callable[[], datetime]) -> None:
        self._holds = holds
        self._clock = clock
        self._steps: dict[str, list[Step]] = {}

    def read(self, job_ids: Collection[str]) -> Mapping[str, Sequence[Step]]:
        """See `densefog_core.flow.steps.StepStore.read`."""
        return {one: list(self._steps[one]) for one in job_ids if one in self._steps}

    def keep(self, lease: Lease, name: str, value: Any) -> bool:  # noqa: ANN401
        """See `densefog_core.flow.steps.StepStore.keep`."""
        if not self._holds(lease):
            return False
        self._steps.setdefault(lease.job_id, []).append(Step(name, value, lease.trys, self._clock()))
        return True

    def forget(self, job_id: str, name: str | None = None) -> None:
        """Forget the steps of a job, or one of them and those after it."""
        kept = self._steps.pop(job_id, [])
        names = [step.name for step in kept]
        if name is not None and (left := kept[: names.index(name)] if name in names else kept):
            self._steps[job_id] = left


class MemoryPauses:
    """Pauses in memory.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._pauses: dict[str, Pause] = {}

    def read(self) -> Sequence[Pause]:
        """See `densefog_core.flow.pauses.PauseStore.read`."""
        now = self._clock()
        return [pause for pause in self._pauses.values() if pause.until is None or pause.until > now]

    def current(self) -> Pauses:
        """See `densefog_core.flow.pauses.PauseStore.current`."""
        return Pauses(self.read())

    def pause(self, pauses: Sequence[Pause]) -> None:
        """See `densefog_core.flow.pauses.PauseStore.pause`."""
        self._pauses = {pause.what: pause for pause in self.read()}
        for new in pauses:
            there = self._pauses.get(new.what, new)
            self._pauses[new.what] = replace(new, at=there.at)

    def resume(self, named: Collection[str]) -> list[str]:
        """See `densefog_core.flow.pauses.PauseStore.resume`."""
        ended = [pause.what for pause in self.read() if pause.what in named]
        for what in ended:
            del self._pauses[what]
        return ended
