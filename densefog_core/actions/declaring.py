"""What an action's line declares beside its handler: its effect, its tags, its end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from densefog_core.errors import RegistrationError

Effect = Literal["read", "create", "change", "destroy"]
EFFECTS: tuple[str, ...] = get_args(Effect)

#: What the name of an action that only reads begins with.
_READS = re.compile(r"(Describe|Get|List)(?![a-z])")


def effect_of(name: str, given: str | None, where: str) -> tuple[Effect, bool]:
    """Return an action's effect, and whether it can be relied on.

    Args:
        name: the action's.
        given: what its author declared, or None. Then the name decides; only ``Describe``, ``Get`` and ``List`` say
            enough, and everything else is taken for ``change`` without being relied on.
        where: the handler, for the error.

    Raises:
        RegistrationError: there is no such effect.
    """
    if given is None:
        return ("read", True) if _READS.match(name) else ("change", False)
    if given not in EFFECTS:
        raise RegistrationError(f"{where}: effect {given!r} is none of {', '.join(EFFECTS)}")
    return given, True  # type: ignore[return-value]


def tags_of(given: Sequence[str], operation: tuple[str, str] | None, module: str, where: str) -> tuple[str, ...]:
    """Return the groups that an action belongs to: those declared, or its resource in the plural, or its module.

    Raises:
        RegistrationError: a tag is not a text.
    """
    if isinstance(given, str) or not all(isinstance(tag, str) and tag for tag in given):
        raise RegistrationError(f"{where}: tags must be a list of texts such as ('volumes',)")
    if given:
        return tuple(given)
    return (plural(operation[0]) if operation else module.rpartition(".")[2],)


def plural(noun: str) -> str:
    """Return the plural of a resource's type."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def day_of(option: str, given: str | date | None, where: str) -> date | None:
    """Return a day that an option names as ``2027-06-01``.

    Raises:
        RegistrationError: it is no day.
    """
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise RegistrationError(f"{where}: {option} {given!r} is not a day such as '2027-06-01'") from None


def examples_of(given: Sequence[Mapping[str, Any]], where: str) -> tuple[dict[str, Any], ...]:
    """Return examples of an action's parameters, each a whole body without ``action``.

    Raises:
        RegistrationError: one is not an object.
    """
    if isinstance(given, str | Mapping) or not all(isinstance(one, Mapping) for one in given):
        raise RegistrationError(f"{where}: examples must be a list of parameters such as [{{'size': 3}}]")
    return tuple(dict(one) for one in given)


def seconds_of(day: date) -> int:
    """Return the start of a day, UTC, in seconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
