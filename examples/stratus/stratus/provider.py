"""The provider: what really holds the volumes and instances.

In a real cloud this is OpenStack or libvirt. Here it is a folder with a file for each thing, which outlives our processes
and can be slow, fail, and lose answers, as real providers do. Everything it is asked may be asked again: a job that was
interrupted asks once more.
"""

import json
import os
import random
import time
from pathlib import Path

from densefog_core.config import CONF


class ProviderError(Exception):
    """The provider did not do what it was asked, or did not say whether it did."""


class Provider:
    """A folder ``<root>/<kind>/<id>.json``."""

    def __init__(self, root, delay=0.0, fail=0.0, lose=0.0):
        self.root = Path(root)
        self.delay, self.fail, self.lose = delay, fail, lose

    def create(self, kind, thing_id, **spec):
        """Begin to build a thing; nothing happens when it is there already."""
        with self._misbehaving(f"create {kind} {thing_id}"):
            if not self._file(kind, thing_id).exists():
                self._write(kind, thing_id, {**spec, "ready_at": time.time() + self.delay})

    def update(self, kind, thing_id, **changes):
        """Begin to change a thing; asked for the same again, nothing happens."""
        with self._misbehaving(f"update {kind} {thing_id}"):
            thing = self._read(kind, thing_id)
            if any(thing.get(name) != value for name, value in changes.items()):
                self._write(kind, thing_id, {**thing, **changes, "ready_at": time.time() + self.delay})

    def delete(self, kind, thing_id):
        """Delete a thing; one that is gone already stays gone."""
        with self._misbehaving(f"delete {kind} {thing_id}"):
            self._file(kind, thing_id).unlink(missing_ok=True)

    def is_ready(self, kind, thing_id):
        """Say whether the provider is done with a thing."""
        return self._read(kind, thing_id)["ready_at"] <= time.time()

    def list(self, kind):
        """Return the ids of everything of a kind."""
        return sorted(path.stem for path in (self.root / kind).glob("*.json"))

    def _file(self, kind, thing_id):
        return self.root / kind / f"{thing_id}.json"

    def _read(self, kind, thing_id):
        try:
            return json.loads(self._file(kind, thing_id).read_text())
        except FileNotFoundError:
            raise ProviderError(f"there is no {kind} {thing_id}") from None

    def _write(self, kind, thing_id, thing):
        path = self._file(kind, thing_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader never sees half a file, and neither does the next process after a crash.
        draft = path.with_suffix(f".{os.getpid()}-{random.randrange(10**9)}")
        draft.write_text(json.dumps(thing))
        draft.replace(path)

    def _misbehaving(self, what):
        return _Misbehaving(self, what)


class _Misbehaving:
    """Fails before, or loses the answer after, what happens in the block."""

    def __init__(self, provider, what):
        self.provider, self.what = provider, what

    def __enter__(self):
        if random.random() < self.provider.fail:
            raise ProviderError(f"{self.what}: out of order")

    def __exit__(self, kind, error, trace):
        if error is None and random.random() < self.provider.lose:
            raise ProviderError(f"{self.what}: no answer")


def provider():
    """Return the provider that the settings describe."""
    root = Path(CONF.app_root) / CONF.stratus_root
    return Provider(root, CONF.stratus_delay, CONF.stratus_fail, CONF.stratus_lose)
