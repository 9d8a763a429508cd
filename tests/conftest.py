"""What every test may ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from densefog_core.current import set_current_app

pytest_plugins = ["tests.databases"]


#: What takes longest; begun first, so that no core is left with nothing to do while the other one is at them.
LONGEST = ("integration", "packaging", "docs", "worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""
    items.sort(key=lambda item: not set(LONGEST) & set(item.path.parts))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No application, environment or log handler of one test reaches another."""
    for name in ("LOG_DIR", "DEBUG", "DB_HOST", "DB_URL", "NOTIFY_CHANNELS", "DENSEFOG_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    before = set_current_app(None)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    set_current_app(before)
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
