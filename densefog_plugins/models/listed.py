"""The type of what a list answers, from its model."""

from __future__ import annotations

import typing
from typing import Any, NotRequired, TypedDict


def listed(model: type[Any], name: str) -> Any:  # noqa: ANN401 - a type
    """Return the type of what `describe` answers for a model, for ``@action(returns=...)``.

    The rows are what the model's ``jsonable`` is annotated with, a TypedDict::

        @action(returns=listed(Volume, "volumeSet"))
        def describe_volumes(params: DescribeVolumes) -> dict[str, Any]: ...

    Args:
        model: the class that the list is of.
        name: where the rows are: ``volumeSet``.

    .. versionadded:: 1.0
    """
    row: Any = typing.get_type_hints(model.jsonable).get("return", dict[str, Any])
    page: dict[str, Any] = {"limit": int, "offset": int, "total": NotRequired[int], "nextToken": NotRequired[str]}
    return TypedDict(f"{model.__name__}List", {**page, name: list[row]})  # type: ignore[operator]
