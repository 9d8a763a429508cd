"""When a job recurs. A schedule is read when its job is registered: one that never comes is refused then, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from densefog_core.errors import RegistrationError
from densefog_core.jobs.records import MAX_SECONDS, utcnow

_TIME = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EPOCH = datetime(1970, 1, 1)
#: croniter's random field: each worker would see other slots.
_RANDOM = re.compile(r"(^|[\s,])r($|[\s,(/])", re.IGNORECASE)


class Schedule(Protocol):
    """When a job recurs; times are naive UTC."""

    def after(self, moment: datetime) -> datetime:
        """Return the first slot after ``moment``; the end of time when there is no further one."""


@dataclass(frozen=True, slots=True)
class Every:
    """A slot every so many seconds."""

    seconds: int

    def after(self, moment: datetime) -> datetime:
        """See `Schedule.after`."""
        gone = (moment - _EPOCH) // timedelta(seconds=self.seconds)
        return _EPOCH + timedelta(seconds=(gone + 1) * self.seconds)


@dataclass(frozen=True, slots=True)
class Cron:
    """The slots of a cron line."""

    line: str

    def after(self, moment: datetime) -> datetime:
        """See `Schedule.after`."""
        from croniter import CroniterBadDateError, croniter

        try:
            slot: datetime = croniter(self.line, moment).get_next(datetime)
        except CroniterBadDateError:
            return datetime.max
        return slot


def parse(action: str, every: str | None) -> Schedule:
    """Return the schedule that a job's ``every`` describes.

    Args:
        action: the job's name, for messages.
        every: see `JobSpec`.

    Raises:
        RegistrationError: it is neither a time nor a cron line, never comes, is random, or cron lines need a package.
    """
    text = str(every).strip()
    if found := _TIME.fullmatch(text):
        seconds = int(found[1]) * _UNITS[found[2]]
        if seconds > MAX_SECONDS:
            raise _refused(action, every, f"is more than {MAX_SECONDS // 86_400} days")
        if seconds:
            return Every(seconds)
    if " " in text:
        return _cron(action, text)
    raise _refused(action, every, "is no time such as 5m and no cron line")


def _cron(action: str, text: str) -> Schedule:
    try:
        from croniter import croniter
    except ImportError:
        raise RegistrationError(
            f"job {action!r}: a cron line needs the package croniter: pip install 'densefog[cron]'"
        ) from None
    if not croniter.is_valid(text):
        raise _refused(action, text, "is no time such as 5m and no cron line")
    if _RANDOM.search(text):
        raise _refused(action, text, "is random, so that no two workers would agree on it")
    schedule = Cron(text)
    if schedule.after(utcnow()) == datetime.max:
        raise _refused(action, text, "never comes")
    return schedule


def _refused(action: str, every: str | None, why: str) -> RegistrationError:
    return RegistrationError(f"job {action!r}: every={every!r} {why}")
