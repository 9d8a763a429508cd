"""Registry[T]: names to values, filled at start-up by plugins, then frozen into a plain dict."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from densefog_core.errors import RegistrationError

T = TypeVar("T")

#: Who registers while no plugin does: the application's own code.
APPLICATION = "the application"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest known name, or the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


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
        self._frozen = False

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
        if self._frozen:
            raise RegistrationError(
                f"{self._owner} registers {self.kind} {name!r} after start-up; register it in a hook"
            )

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

    def freeze(self) -> dict[str, T]:
        """End registration and return the plain dict that requests and jobs read.

        Raises:
            RegistrationError: something was to be replaced that nobody registered.
        """
        for name, (value, owner) in self._replacements.items():
            if name not in self._values:
                raise RegistrationError(
                    f"{owner} replaces {self.kind} {name!r}, but nobody registers it{did_you_mean(name, self._values)}"
                )
            self._values[name], self._owners[name] = value, owner
        self._frozen = True
        return self._values

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
