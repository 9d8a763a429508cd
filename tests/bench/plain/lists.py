"""Pages of lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from flask import g
from pydantic import Field
from sqlalchemy import func, select

from tests.bench.plain.calls import Params
from tests.bench.plain.database import session
from tests.bench.plain.models import Resource

#: Ids that one call may name.
Ids = Annotated[list[str], Field(max_length=100)]


class ListParams(Params):
    """Which page of a list."""

    status: Annotated[list[str], Field(max_length=20)] | None = None
    search_word: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    reverse: bool = True
    verbose: bool = False


def describe(
    model: type[Resource],
    params: ListParams,
    ids: list[str] | None,
    verbose: Callable[[Sequence[Any]], list[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Return one page of the caller's resources as clients see it.

    Args:
        model: the class of the resources.
        params: which page.
        ids: only these.
        verbose: returns the rows for those who ask for ``verbose``.
    """
    query = select(model).where(model.project_id == g.project_id)
    if ids is not None:
        query = query.where(model.id.in_(ids))
    if params.status is not None:
        query = query.where(model.status.in_(params.status))
    elif ids is None:
        query = query.where(model.status != "deleted")
    if params.search_word:
        query = query.where(model.name.icontains(params.search_word, autoescape=True))
    total = session.scalar(select(func.count()).select_from(query.subquery()))
    keys = (model.created, model.id)
    query = query.order_by(*(key.desc() if params.reverse else key for key in keys))
    page = session.scalars(query.limit(params.limit).offset(params.offset)).all()
    rows = verbose(page) if verbose and params.verbose else [one.jsonable() for one in page]
    return {"limit": params.limit, "offset": params.offset, "total": total, f"{model.__tablename__}Set": rows}
