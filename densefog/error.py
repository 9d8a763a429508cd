"""``from densefog import error``: all of densefog's exceptions in one place, as the original had them."""

from densefog_core.errors import iaas_error, project_error
from densefog_core.errors.iaas_error import *  # noqa: F403
from densefog_core.errors.project_error import *  # noqa: F403

__all__ = [*iaas_error.__all__, *project_error.__all__]
