"""What starts the application: APIs, workers, and the processes that they run in."""

from densefog_core.server.api import Api, ServedWorker, create_api, create_worker

__all__ = ["Api", "ServedWorker", "create_api", "create_worker"]
