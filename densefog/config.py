"""``from densefog import config``: see `densefog_core.config`."""

from densefog_core.config import CONF, setup

__all__ = ["CONF", "setup"]
