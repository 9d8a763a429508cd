"""What plugins and applications are tested with: an app of given plugins, a job store in memory, its clock.

Nothing is discovered and no database is needed::

    app = make_app(MyPlugin(), actions={"Ping": ping}, jobs={"Greet": greet})
    assert app.api("public").post({"action": "Ping"}) == {"data": {"pong": True}, "retCode": 0, "message": None}
    app.enqueue("Greet", {"name": "Ada"})
    assert app.run_jobs() == 1
"""

from densefog_core.testing.app import RecordingChannel, TestApi, TestApp, make_app
from densefog_core.testing.store import FrozenClock, MemoryStore

__all__ = ["FrozenClock", "MemoryStore", "RecordingChannel", "TestApi", "TestApp", "make_app"]
