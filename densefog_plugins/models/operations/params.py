"""What ``DescribeOperations`` is asked with."""

from __future__ import annotations

from densefog_plugins.models.listparams import Ids, ListParams


class DescribeOperations(ListParams):
    """Which page of the operations; ``status`` does not apply."""

    operation_ids: Ids | None = None
    resource_ids: Ids | None = None
    resource_type: str | None = None
    action_names: Ids | None = None
