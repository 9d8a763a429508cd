"""Values of a request that a column cannot hold: the caller's fault, with a pointer to the value."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DataError, DBAPIError

from densefog_core.actions.params.leaves import is_number, largest, leaves, unstorable
from densefog_core.actions.records import Request
from densefog_core.context import current_scope
from densefog_core.errors import ValidationError

#: The largest number that any of the databases takes; SQLite's driver refuses those beyond before there is a statement.
LARGEST = 2**63 - 1
#: What MySQL says where a column's character set does not have a character: in a value, and in a comparison.
CHARACTERS = (1366, 1267, 1271)
#: Values of a request that are looked for in a statement: the largest ones, since it is for their size that one fails.
LOOKED_FOR = 50


def refusal(error: Exception) -> ValidationError | None:
    """Return what a caller is told whose value does not fit a column; None when no value of the request is to blame."""
    scope = current_scope()
    if not isinstance(scope, Request):
        return None
    found = None
    if isinstance(error, OverflowError):
        found = next((at for at, value in leaves(scope.params) if is_number(value) and abs(value) > LARGEST), None)
    elif isinstance(error, DBAPIError) and (isinstance(error, DataError) or _is_of_characters(error)):
        found = _place(scope.params, [value for _, value in leaves(error.params)], _is_of_characters(error))
    return None if found is None else unstorable(found)


def _is_of_characters(error: DBAPIError) -> bool:
    return bool(error.orig and error.orig.args and error.orig.args[0] in CHARACTERS)


def _place(params: Any, bound: list[Any], of_characters: bool) -> str | None:  # noqa: ANN401
    """Return the pointer to the largest value of the request that stands in the statement, or in a text in it."""
    texts = [value for value in bound if isinstance(value, str)]
    for at, value in largest(params, LOOKED_FOR):
        if of_characters and str(value).isascii():
            continue
        if value in bound or (isinstance(value, str) and value and any(value in text for text in texts)):
            return at
    return None
