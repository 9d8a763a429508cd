"""``DescribeOperations``."""

from __future__ import annotations

from typing import Any

from densefog_core.actions import request
from densefog_plugins.models.listparams import Ids, ListParams


class DescribeOperations(ListParams):
    """Which page of the operations; ``status`` does not apply."""

    operation_ids: Ids | None = None
    resource_ids: Ids | None = None
    resource_type: str | None = None
    action_names: Ids | None = None


def describe_operations(params: DescribeOperations) -> dict[str, Any]:
    """List what was done to resources: the project's own operations, or all of them for operators."""
    from densefog_plugins.models.operations.recording import page

    return page(params, request.project_id)
