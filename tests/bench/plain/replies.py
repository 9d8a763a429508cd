"""What calls are answered with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """The answer to one call; actions return the data alone when all went well.

    Attributes:
        data: JSON.
        code: 0, or the error's number.
        message: the error's text.
    """

    data: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    message: str | None = None
