"""What plugins and applications are tested with: an app of given plugins, a job store in memory, its clock, and suites
for stores, channels and transports.

Nothing is discovered and no database is needed::

    app = make_app(MyPlugin(), actions={"Ping": ping}, jobs={"Greet": greet})
    assert app.api("public").post({"action": "Ping"}) == {"data": {"pong": True}, "retCode": 0, "message": None}
    app.enqueue("Greet", {"name": "Ada"})
    assert app.run_jobs() == 1
"""

from densefog_core.testing.app import RecordingChannel, TestApi, TestApp, make_app
from densefog_core.testing.conformance import ChannelConformance, TransportConformance
from densefog_core.testing.malformed import malformed_bodies
from densefog_core.testing.store import FrozenClock, MemoryStore
from densefog_core.testing.store_conformance import StoreConformance

__all__ = [
    "ChannelConformance", "FrozenClock", "MemoryStore", "RecordingChannel", "StoreConformance", "TestApi", "TestApp",
    "TransportConformance", "make_app", "malformed_bodies",
]  # fmt: skip
