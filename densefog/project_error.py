"""``from densefog import project_error``: see `densefog_core.errors.project_error`."""

from densefog_core.errors.project_error import *  # noqa: F403
from densefog_core.errors.project_error import __all__ as __all__
