"""``DescribeOperations``."""

from __future__ import annotations

from typing import Any

from densefog_core.actions import request
from densefog_plugins.models.operations.params import DescribeOperations


def describe_operations(params: DescribeOperations) -> dict[str, Any]:
    """List what was done to resources: the project's own operations, or all of them for operators."""
    # Its table is part of the database only where operations are recorded.
    from densefog_plugins.models.operations.listing import page

    return page(params, request.project_id)
