"""What a session does while a plan is made, seen by SQLAlchemy's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, event, select
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from densefog_plugins.models.base import Base
from densefog_plugins.models.planning.plan import MAX_IDS, TOLD, Plan

#: Where a session has its plan.
KEY = "densefog_plan"
#: Tables of which a plan says more elsewhere, or that are only its own way of working.
_OWN = frozenset({"job", "quota", "client_token"})


def _plan_of(session: Session) -> Plan | None:
    return session.info.get(KEY)


@event.listens_for(Session, "after_flush")
def _flushed(session: Session, context: object) -> None:
    plan = _plan_of(session)
    if plan is None:
        return
    for what, rows in (("create", session.new), ("destroy", session.deleted), ("change", session.dirty)):
        for row in rows:
            if what != "change" or session.is_modified(row):
                _tell(plan, what, row.__table__, getattr(row, "id", None))


def _tell(plan: Plan, what: str, table: Any, row_id: Any) -> None:  # noqa: ANN401
    if table.name in _OWN:
        return
    if _is_kind(table):
        plan.tell(what, table.name, row_id)
    else:
        plan.tell("other", table.name, 1)


def _is_kind(table: Any) -> bool:  # noqa: ANN401
    """Return whether the rows of a table are things of their own, which an id names."""
    return isinstance(table, Table) and [column.name for column in table.primary_key] == ["id"] and _is_mapped(table)


def _is_mapped(table: Table) -> bool:
    # A resource on an application's own base has its project; of densefog's own tables what is mapped is a thing.
    return "project_id" in table.c or any(mapper.local_table is table for mapper in Base.registry.mappers)


@event.listens_for(Session, "do_orm_execute")
def _executed(state: ORMExecuteState) -> Any:  # noqa: ANN401 - a result
    plan = _plan_of(state.session)
    if plan is None or state.is_select or not (state.is_insert or state.is_update or state.is_delete):
        return None
    table = getattr(state.statement, "table", None)
    if table is None or table.name in _OWN or state.execution_options.get(TOLD):
        return None
    if state.is_insert:
        for row in _parameters(state):
            _tell(plan, "create", table, row.get("id"))
        return None
    if _is_kind(table):
        for row_id in _ids(state, table):
            plan.tell("destroy" if state.is_delete else "change", table.name, row_id)
        return None
    result = state.invoke_statement()
    plan.tell("other", table.name, getattr(result, "rowcount", None) or 0)
    return result


def _parameters(state: ORMExecuteState) -> list[Any]:
    return list(state.parameters) if isinstance(state.parameters, list) else [state.parameters or {}]


def _ids(state: ORMExecuteState, table: Any) -> Iterator[Any]:  # noqa: ANN401
    """Return the ids of the rows that a statement is about, before it is executed."""
    conditions = getattr(state.statement, "_where_criteria", ())
    for parameters in _parameters(state):
        yield from state.session.scalars(select(table.c.id).where(*conditions).limit(MAX_IDS), parameters)


@event.listens_for(Session, "before_commit")
def _committing(session: Session) -> None:
    plan = _plan_of(session)
    if plan is not None and not session.in_nested_transaction():
        raise plan.refuse("commits by itself")


@event.listens_for(Session, "after_transaction_create")
def _began(session: Session, began: SessionTransaction) -> None:
    plan = _plan_of(session)
    if plan is not None and began.nested:
        plan.marks[began] = len(plan.entries)


@event.listens_for(Session, "after_soft_rollback")
def _undone(session: Session, undone: SessionTransaction) -> None:
    plan = _plan_of(session)
    if plan is not None and (undone.nested or undone.parent is None):
        del plan.entries[plan.marks.get(undone, 0) :]
