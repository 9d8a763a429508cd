"""What can go wrong: the families of exceptions, and the table that answers them.

``iaas_error`` has the errors of resources and requests, ``project_error`` those of projects, keys and quotas; ``table``
turns any exception into a retCode, a message and data.
"""

from __future__ import annotations

from densefog_core.errors.base import (
    BaseIaasException,
    BaseJobException,
    BaseResourceException,
    ClientRequestException,
    ConfigError,
    DBLockTimeoutError,
    HandleError,
    Interrupt,
    InvalidRequestParameter,
    JobNotFound,
    JobRefused,
    PluginError,
    RegistrationError,
    ServerInternalError,
    StartupError,
    StepRefused,
    UnknownAction,
    ValidationError,
)
from densefog_core.errors.table import ErrorAnswer, ErrorTable, http_status

__all__ = [
    "BaseIaasException",
    "BaseJobException",
    "BaseResourceException",
    "ClientRequestException",
    "ConfigError",
    "DBLockTimeoutError",
    "ErrorAnswer",
    "ErrorTable",
    "HandleError",
    "Interrupt",
    "InvalidRequestParameter",
    "JobNotFound",
    "JobRefused",
    "PluginError",
    "RegistrationError",
    "ServerInternalError",
    "StartupError",
    "StepRefused",
    "UnknownAction",
    "ValidationError",
    "http_status",
]
