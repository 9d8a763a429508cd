"""Which operations to list, and the query for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, false, or_

from densefog_plugins.models.lists import describe
from densefog_plugins.models.operations.params import DescribeOperations
from densefog_plugins.models.operations.table import Operation
from densefog_plugins.models.resource import storable


def page(params: DescribeOperations, project_id: str | None) -> dict[str, Any]:
    """Return a page of a project's operations, or of all."""
    ids = params.operation_ids
    where = list(_conditions(params))
    return describe(Operation, params, "operationSet", project_id=project_id, ids=ids, where=where)


def _conditions(params: DescribeOperations) -> Iterator[ColumnElement[bool]]:
    if params.resource_type is not None:
        yield Operation.resource_type.in_(storable([params.resource_type]))
    if params.action_names is not None:
        yield Operation.action.in_(storable(params.action_names))
    if params.resource_ids is not None:
        wanted = [f'"{one}"' for one in storable(params.resource_ids)]
        yield or_(false(), *(Operation.resource_ids.contains(one, autoescape=True) for one in wanted))
