"""The provider: what really holds the volumes and instances.

In a real cloud this is OpenStack or libvirt. Here it is a folder with a file for each thing. It outlives our processes,
and it can be slow, fail, and lose answers, as real providers do. Everything may be asked again: a job that was
interrupted asks once more.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from densefog_core.current import current_app


class ProviderError(Exception):
    """The provider did not do what it was asked, or did not say whether it did."""


class Provider:
    """A folder with a file ``<root>/<kind>/<id>.json`` for each thing.

    Args:
        root: the folder.
        delay: seconds that it takes to build or change a thing.
        fail: share of calls that it refuses, 0 to 1.
        lose: share of calls that it carries out without answering, 0 to 1.
    """

    def __init__(self, root: Path, delay: float = 0.0, fail: float = 0.0, lose: float = 0.0) -> None:
        self.root, self.delay, self.fail, self.lose = root, delay, fail, lose

    def create(self, kind: str, thing_id: str, **spec: object) -> None:
        """Begin to build a thing; nothing happens when it is there already.

        Raises:
            ProviderError: it may or may not be there now.
        """
        with self._misbehaving(f"create {kind} {thing_id}"):
            if not self._file(kind, thing_id).exists():
                self._write(kind, thing_id, spec)

    def update(self, kind: str, thing_id: str, **changes: object) -> None:
        """Begin to change a thing; asked for the same again, nothing happens.

        Raises:
            ProviderError: there is no such thing, or it may or may not be changed now.
        """
        with self._misbehaving(f"update {kind} {thing_id}"):
            thing = self.get(kind, thing_id)
            if any(thing.get(name) != value for name, value in changes.items()):
                self._write(kind, thing_id, {**thing, **changes})

    def delete(self, kind: str, thing_id: str) -> None:
        """Delete a thing; one that is gone already stays gone.

        Raises:
            ProviderError: it may or may not be gone now.
        """
        with self._misbehaving(f"delete {kind} {thing_id}"):
            self._file(kind, thing_id).unlink(missing_ok=True)

    def get(self, kind: str, thing_id: str) -> dict[str, Any]:
        """Return what a thing is like.

        Raises:
            ProviderError: there is no such thing.
        """
        try:
            thing: dict[str, Any] = json.loads(self._file(kind, thing_id).read_text())
        except FileNotFoundError:
            raise ProviderError(f"there is no {kind} {thing_id}") from None
        return thing

    def is_ready(self, kind: str, thing_id: str) -> bool:
        """Return whether the provider is done with a thing.

        Raises:
            ProviderError: there is no such thing.
        """
        return bool(self.get(kind, thing_id)["ready_at"] <= time.time())

    def is_gone(self, kind: str, thing_id: str) -> bool:
        """Return whether there is no such thing."""
        return not self._file(kind, thing_id).exists()

    def ids(self, kind: str) -> list[str]:
        """Return the ids of everything of a kind."""
        return sorted(path.stem for path in (self.root / kind).glob("*.json"))

    def _file(self, kind: str, thing_id: str) -> Path:
        return self.root / kind / f"{thing_id}.json"

    def _write(self, kind: str, thing_id: str, thing: dict[str, Any]) -> None:
        path = self._file(kind, thing_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader never sees half a file, and neither does the next process after a crash.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
            json.dump({**thing, "ready_at": time.time() + self.delay}, draft)
        Path(draft.name).replace(path)

    @contextmanager
    def _misbehaving(self, what: str) -> Iterator[None]:
        """Refuse what the block does, or do it and lose the answer."""
        if random.random() < self.fail:
            raise ProviderError(f"{what}: out of order")
        yield
        if random.random() < self.lose:
            raise ProviderError(f"{what}: no answer")


def provider() -> Provider:
    """Return the provider that the application's settings describe."""
    config = current_app().config
    root = Path(config.app_root) / config.stratus_root
    return Provider(root, config.stratus_delay, config.stratus_fail, config.stratus_lose)
