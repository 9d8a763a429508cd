"""What must never be stored, logged or sent: known by its name, by its type and by its shape."""

from densefog_core.redact.declared import HIDDEN, declare, declared, hide_declared, hiding, keep, known
from densefog_core.redact.names import is_secret_key
from densefog_core.redact.text import redact_text
from densefog_core.redact.values import (
    MAX_DEPTH,
    Secret,
    holds_secret,
    is_masked,
    redact,
    secrets_in,
    without_values,
)

__all__ = [
    "HIDDEN",
    "MAX_DEPTH",
    "Secret",
    "declare",
    "declared",
    "hide_declared",
    "hiding",
    "holds_secret",
    "is_masked",
    "is_secret_key",
    "keep",
    "known",
    "redact",
    "redact_text",
    "secrets_in",
    "without_values",
]
