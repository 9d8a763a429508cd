"""``from densefog import iaas_error``: see `densefog_core.errors.iaas_error`."""

from densefog_core.errors.iaas_error import *  # noqa: F403
from densefog_core.errors.iaas_error import __all__ as __all__
