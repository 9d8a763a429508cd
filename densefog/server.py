"""``from densefog.server import create_api, create_worker``: see `densefog_core.server`."""

from densefog_core.server import create_api, create_worker

__all__ = ["create_api", "create_worker"]
