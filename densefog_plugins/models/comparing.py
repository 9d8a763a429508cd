"""A table as it is, compared with what densefog needs: another program may have made it, for itself or for densefog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Number
from typing import Any

from sqlalchemy import Column, Dialect, Inspector, String, Table
from sqlalchemy.types import TypeEngine

from densefog_core.jobs import MAX_TEXT
from densefog_plugins.models.jobstore.table import NEVER_NULL

#: Bytes that MySQL's text types hold; larger ones are large enough.
_TEXTS = {"TINYTEXT": 255, "TEXT": MAX_TEXT}


@dataclass
class Differences:
    """What a table lacks, a line each.

    Attributes:
        fatal: rows cannot be written, or not be read again.
        warnings: some rows cannot be written.
    """

    fatal: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def differences(inspector: Inspector, table: Table, plugin: str) -> Differences:
    """Compare the columns, types, lengths and NULLs of a table that is there with what densefog needs.

    Args:
        inspector: of the database.
        table: as it must be.
        plugin: whose it is, for the messages.
    """
    found = Differences()
    there = {column["name"]: column for column in inspector.get_columns(table.name)}
    lacking = [column.name for column in table.columns if column.name not in there]
    if lacking:
        found.fatal.append(
            f"table {table.name} has no column {', '.join(lacking)}; plugin {plugin} needs it: switch that off, add "
            "what the contract says to the table, or rename the table and run: densefog db init"
        )
        return found
    for column in table.columns:
        _compare(found, inspector.dialect, column, there[column.name])
    for name in there.keys() - {column.name for column in table.columns}:
        if _must_be_given(there[name]):
            found.fatal.append(
                f"table {table.name}: column {name} is not densefog's, may not be NULL and has no default; give it a "
                "default"
            )
    return found


def _compare(found: Differences, dialect: Dialect, column: Column[Any], there: Any) -> None:  # noqa: ANN401
    where = f"table {column.table.name}: column {column.name}"
    words, is_words = column.type.compile(dialect), there["type"].compile(dialect)
    if not _alike(column.type, there["type"]):
        found.fatal.append(f"{where} is {is_words} and must be {words}; {_remedy(dialect, column, words)}")
    elif isinstance(there["type"], String) and _room(is_words) < (least := min(_room(words), MAX_TEXT)):
        found.warnings.append(
            f"{where} is {is_words}, and densefog writes up to {least:g} characters; {_remedy(dialect, column, words)}"
        )
    if column.nullable and not there["nullable"] and column.name not in NEVER_NULL.get(column.table.name, ()):
        found.fatal.append(f"{where} must take NULL; {_remedy(dialect, column, words, null=True)}")


def _alike(wanted: TypeEngine[Any], kind: TypeEngine[Any]) -> bool:
    """Return whether values of one type come back from a column of the other; True for types that nobody knows."""
    if getattr(kind, "timezone", False):
        return False
    one, other = _family(wanted), _family(kind)
    return one is None or other is None or one is other


def _family(kind: TypeEngine[Any]) -> type | None:
    try:
        python = kind.python_type
    except NotImplementedError:
        return None
    return next((family for family in (str, bytes, Number, datetime) if issubclass(python, family)), python)


def _room(words: str) -> float:
    """Return how many characters a column holds, by its type's words: ``VARCHAR(32)``, or without a limit."""
    kind, _, size = words.partition("(")
    digits = size.partition(")")[0]
    return int(digits) if digits.isdigit() and kind != "ENUM" else _TEXTS.get(kind.split()[0], float("inf"))


def _must_be_given(column: Mapping[str, Any]) -> bool:
    given = column.get("default") is not None or column.get("computed") or column.get("identity")
    return not column["nullable"] and not given and column.get("autoincrement") is not True


def _remedy(dialect: Dialect, column: Column[Any], words: str, *, null: bool = False) -> str:
    table, name = column.table.name, column.name
    if dialect.name in ("mysql", "mariadb"):
        return f"run: ALTER TABLE {table} MODIFY {name} {words}{'' if column.nullable else ' NOT NULL'}"
    if dialect.name == "postgresql":
        return f"run: ALTER TABLE {table} ALTER COLUMN {name} {'DROP NOT NULL' if null else f'TYPE {words}'}"
    return "SQLite cannot change it: rename the table, run: densefog db init, and copy the rows"
