"""Pages of lists: one call for a ``Describe*`` action.

The page's keys are found in an index that has all that is asked of them, and only then the rows of these keys are
read: that is what keeps a page far into a long table cheap.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select

from densefog_core import jsontext
from densefog_core.errors.iaas_error import ValidationError
from densefog_plugins.models.listparams import ListParams
from densefog_plugins.models.resource import DELETED, storable
from densefog_plugins.models.sessions import current_session

Where = Sequence[ColumnElement[bool]]


def describe(
    model: type[Any],
    params: ListParams,
    name: str,
    *,
    project_id: str | None,
    ids: Sequence[str] | None = None,
    where: Where = (),
    total: bool = True,
    verbose: Callable[[Sequence[Any]], Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Return one page of a list as clients see it, in one statement; in two when it is an empty one behind the last.

    Args:
        model: a class of resources, or any mapped class that has ``id``, and ``created`` or not.
        params: which page.
        name: where the rows go: ``volumeSet``.
        project_id: whose; None lists all projects'.
        ids: only these.
        where: more conditions.
        total: count the rows of all pages.
        verbose: given the page's resources, returns their rows for those who ask for ``verbose``; it has them all at
            once, so that it need not ask the database for each.

    Raises:
        ValidationError: ``next_token`` is none of this list's.
    """
    conditions = list(_conditions(model, params, project_id, ids, where))
    page: dict[str, Any] = {"limit": params.limit, "offset": params.offset}
    query = _page(model, params, conditions)
    if total := total and params.next_token is None:
        count = select(func.count()).select_from(model).where(*conditions).correlate(None)
        query = query.add_columns(count.scalar_subquery())
    found = current_session().execute(query).all()
    if total:
        page["total"] = found[0][1] if found else current_session().scalar(count) if params.offset else 0
    rows: Sequence[Any] = [row[0] for row in found[: params.limit]]
    if len(found) > params.limit:
        page["nextToken"] = _token(_key(model, rows[-1]), reverse=params.reverse)
    page[name] = verbose(rows) if verbose is not None and params.verbose else rows
    return page


def _conditions(
    model: type[Any], params: ListParams, project_id: str | None, ids: Sequence[str] | None, where: Where
) -> Iterator[ColumnElement[bool]]:
    yield from where
    if project_id is not None:
        yield model.project_id == project_id
    if ids is not None:
        yield model.id.in_(storable(ids))
    if hasattr(model, "status"):
        if params.status is not None:
            yield model.status.in_(storable(params.status))
        elif ids is None:
            # SQLite takes half as long again to count by NOT IN.
            yield from (model.status != status for status in DELETED)
    if params.search_word:
        if "\0" in params.search_word:
            yield false()
        columns = [getattr(model, column) for column in getattr(model, "searched", ("id",))]
        yield or_(*(column.icontains(params.search_word.replace("\0", ""), autoescape=True) for column in columns))
    if hasattr(model, "created"):
        if params.created_from is not None:
            yield model.created >= _naive(params.created_from)
        if params.created_to is not None:
            yield model.created <= _naive(params.created_to)


def _naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _page(model: type[Any], params: ListParams, conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Return the query of a page and of one row more, which tells whether there is another page."""
    names = _key_names(model)
    columns = [getattr(model, name) for name in names]
    if params.next_token is None and params.offset == 0:
        # The index gives the first rows in order, and nothing is passed over: one way is as good, and shorter.
        first = select(model).where(*conditions).order_by(*_ordered(columns, params.reverse))
        return first.limit(params.limit + 1)
    keys = select(*columns).where(*conditions).limit(params.limit + 1)
    if params.next_token is None:
        keys = keys.offset(params.offset)
    else:
        keys = keys.where(_beyond(columns, _read_token(params.next_token, names, params.reverse), params.reverse))
    inner = keys.order_by(*_ordered(columns, params.reverse)).subquery()
    order = _ordered([inner.c[name] for name in names], params.reverse)
    return select(model).join(inner, model.id == inner.c.id).order_by(*order)


def _key_names(model: type[Any]) -> tuple[str, ...]:
    return ("created", "id") if hasattr(model, "created") else ("id",)


def _ordered(columns: Sequence[ColumnElement[Any]], reverse: bool) -> list[ColumnElement[Any]]:
    return [column.desc() if reverse else column.asc() for column in columns]


def _beyond(columns: Sequence[Any], values: list[Any], reverse: bool) -> ColumnElement[bool]:
    """Return the condition for the rows after a key; one that MySQL, too, takes to the index: not ``(a, b) < (x,
    y)``.
    """
    *before, last = columns
    *first, end = values
    condition: ColumnElement[bool] = last < end if reverse else last > end
    for column, value in zip(before, first, strict=True):
        closed = column <= value if reverse else column >= value
        condition = and_(closed, or_(column != value, condition))
    return condition


# -- tokens ----------------------------------------------------------------------------------------------------


def _key(model: type[Any], row: Any) -> list[Any]:  # noqa: ANN401
    return [getattr(row, name) for name in _key_names(model)]


def _token(key: list[Any], *, reverse: bool) -> str:
    text = jsontext.dumps([reverse, *(one.isoformat() if isinstance(one, datetime) else one for one in key)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str, names: tuple[str, ...], reverse: bool) -> list[Any]:
    try:
        value = jsontext.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        backwards, *key = value
        fits = len(key) == len(names) and all(type(one) is str and "\0" not in one for one in key)
        if backwards is not reverse or not fits:
            raise ValueError
        return [datetime.fromisoformat(one) if name == "created" else one for name, one in zip(names, key, strict=True)]
    except (binascii.Error, jsontext.InvalidJSON, TypeError, ValueError):
        problem = {"path": "/nextToken", "message": "is none that this list, in this order, has given"}
        raise ValidationError(f"Illegal request format: nextToken {problem['message']}", [problem]) from None
