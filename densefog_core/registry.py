"""What plugins fill at start-up, and who is refused that comes later: Registry[T], StartUpDict and StartUpList."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, ItemsView, Iterable, Iterator, MutableMapping, MutableSequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, TypeVar

from densefog_core.errors import RegistrationError

T = TypeVar("T")

#: Who registers while no plugin does: the application's own code.
APPLICATION = "the application"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest known name, or the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


_PASSED_THROUGH = sys.stdlib_module_names | {"densefog_core", "pluggy"}

#: Called with what is added, and the hook that it belongs in; raises when that comes too late.
Check = Callable[[str, str], None]


def calling_module() -> str:
    """Return the name of the module that the running code was called from: neither the core's nor Python's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _top(frame) in _PASSED_THROUGH:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def _top(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


class Gate:
    """Whether start-up is over, and who comes too late.

    Args:
        name_of: returns who a module belongs to, for the message.
    """

    def __init__(self, name_of: Callable[[str], str] = str) -> None:
        self._name_of = name_of
        self._closed = False

    def close(self) -> None:
        """End start-up: from now on `check` raises."""
        self._closed = True

    def check(self, what: str, hook: str = "densefog_startup") -> None:
        """Let somebody add something, while start-up lasts.

        Args:
            what: what is added, for the message: ``page '/metrics'``.
            hook: where it is added in time.

        Raises:
            RegistrationError: start-up is over; says who is late.
        """
        if self._closed:
            raise RegistrationError(
                f"{self._name_of(calling_module())} adds {what} after start-up; add it in the hook {hook}"
            )


class StartUpDict(MutableMapping[str, T]):
    """Values by name that plugins set in ``densefog_startup``, and nobody later.

    Args:
        gate: knows whether start-up is over.
        kind: what the values are, in the singular, for messages: ``page``.
        values: those of the core.
    """

    def __init__(self, gate: Gate, kind: str, values: dict[str, T] | None = None) -> None:
        self._gate = gate
        self._kind = kind
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> T:
        return self._values[name]

    def __setitem__(self, name: str, value: T) -> None:
        self._gate.check(f"{self._kind} {name!r}")
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        self._gate.check(f"{self._kind} {name!r}")
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class StartUpList(MutableSequence[T]):
    """Values in order that plugins add in ``densefog_startup``, and nobody later.

    Args:
        gate: knows whether start-up is over.
        kind: what the values are, in the singular, for messages: ``wake listener``.
    """

    def __init__(self, gate: Gate, kind: str) -> None:
        self._gate = gate
        self._kind = kind
        self._values: list[T] = []

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - a value, or a list of them for a slice
        return self._values[index]

    def __setitem__(self, index: Any, value: Any) -> None:  # noqa: ANN401 - as above
        self._gate.check(f"a {self._kind}")
        self._values[index] = value

    def __delitem__(self, index: int | slice) -> None:
        self._gate.check(f"a {self._kind}")
        del self._values[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._values)

    def insert(self, index: int, value: T) -> None:
        """Add a value before the one at ``index``."""
        self._gate.check(f"a {self._kind}")
        self._values.insert(index, value)

    def __len__(self) -> int:
        return len(self._values)


class Registry(Generic[T]):
    """Values by name, each with the plugin that owns it.

    Attributes:
        kind: what the registry holds, in the singular, for messages: ``action``, ``channel``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._values: dict[str, T] = {}
        self._owners: dict[str, str] = {}
        self._replacements: dict[str, tuple[T, str]] = {}
        self._owner = APPLICATION
        self._check: Check = lambda what, hook: None

    @contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """Take everything added in the block as ``owner``'s; when the block raises, nothing of it stays."""
        before = self._owner, dict(self._values), dict(self._owners), dict(self._replacements)
        self._owner = owner
        try:
            yield
        except BaseException:
            _, self._values, self._owners, self._replacements = before
            raise
        finally:
            self._owner = before[0]

    def add(self, name: str, value: T) -> None:
        """Register ``value`` as ``name``.

        Raises:
            RegistrationError: the name is taken (both owners are named), or start-up is over.
        """
        self._check_open(name)
        if name in self._values:
            raise self._taken(name, self._owners[name], "or let one of them call registry.replace()")
        self._values[name] = value
        self._owners[name] = self._owner

    def replace(self, name: str, value: T) -> None:
        """Register ``value`` as ``name`` in place of what another plugin registers, before or after.

        Raises:
            RegistrationError: another plugin replaces it too, or start-up is over.
        """
        self._check_open(name)
        if name in self._replacements:
            raise self._taken(name, self._replacements[name][1], "only one can replace it")
        self._replacements[name] = value, self._owner

    def _taken(self, name: str, owner: str, remedy: str) -> RegistrationError:
        return RegistrationError(
            f"{self.kind} {name!r} is registered twice: by {owner} and by {self._owner}; "
            f"uninstall or disable one, {remedy}"
        )

    def _check_open(self, name: str) -> None:
        self._check(f"{self.kind} {name!r}", f"densefog_register_{self.kind}s")

    def get(self, name: str) -> T:
        """Return the value registered as ``name``.

        Raises:
            RegistrationError: there is none; the message lists what there is.
        """
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(sorted(self._values)) or "none"
            raise RegistrationError(
                f"unknown {self.kind} {name!r}{did_you_mean(name, self._values)} (installed: {known})"
            ) from None

    def owner(self, name: str) -> str:
        """Return who registered ``name``: plugin, distribution and version."""
        return self._owners[name]

    def items(self) -> ItemsView[str, T]:
        """Return the names, each with its value."""
        return self._values.items()

    def freeze(self, check: Check) -> None:
        """End registration.

        Args:
            check: called with what is added too late, and the hook for it; raises.

        Raises:
            RegistrationError: something was to be replaced that nobody registered.
        """
        for name, (value, owner) in self._replacements.items():
            if name not in self._values:
                raise RegistrationError(
                    f"{owner} replaces {self.kind} {name!r}, but nobody registers it{did_you_mean(name, self._values)}"
                )
            self._values[name], self._owners[name] = value, owner
        self._check = check

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
