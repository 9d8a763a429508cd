"""``from densefog.common import local``: see `densefog_core.context`."""

from densefog_core.context import get_context_id

__all__ = ["get_context_id"]
