"""Makes a plan: carries out a call in a transaction, reads what was done, and rolls it back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text

from densefog_core.actions.handlers import ActionSpec
from densefog_core.actions.records import Request
from densefog_core.errors.iaas_error import ActionsPartialSuccessError
from densefog_plugins.models.planning import watching
from densefog_plugins.models.planning.plan import Plan, _current
from densefog_plugins.models.sessions import ScopedSession, in_transaction, transaction

#: Events of Python's own that say that something is called that no rollback undoes.
_OUTSIDE = frozenset({"socket.connect", "subprocess.Popen"})


class _Undo(Exception):
    """Rolls back."""


def run(request: Request, spec: ActionSpec) -> dict[str, Any]:
    """Return what a call would do as its reply's data.

    Raises:
        ValidationError: it cannot be planned: it commits by itself, or calls outside.
        ActionsPartialSuccessError: it would succeed in part; its data has the plan.
    """
    if in_transaction():
        raise RuntimeError("a call cannot be planned within a transaction: its rollback would undo what is around it")
    _watch_for_calls()
    plan, partial = Plan(spec), None
    try:
        with transaction() as session:
            # Only now: where calls are authenticated, the session has read the key, and ends that first.
            with _planning(request, plan, session):
                try:
                    spec.call(request)
                except ActionsPartialSuccessError as exc:
                    if not exc.results:
                        raise
                    partial = exc
                if plan.refused is None:
                    _settle(session)
            raise _Undo
    except _Undo:
        pass
    finally:
        if plan.refused is not None:
            raise plan.refused
    found = plan.jsonable()
    if partial is None:
        return {"plan": found}
    error = ActionsPartialSuccessError(partial.exceptions, partial.results)
    error.data = {"plan": found}
    raise error


@contextmanager
def _planning(request: Request, plan: Plan, session: ScopedSession) -> Iterator[None]:
    request.dry_run = True
    session.info[watching.KEY] = plan
    token = _current.set(plan)
    try:
        yield
    finally:
        _current.reset(token)
        del session.info[watching.KEY]


def _settle(session: ScopedSession) -> None:
    """Write what is left, and have constraints looked at that the database would look at when it commits."""
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


def _refuse_calls(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _OUTSIDE and (plan := _current.get()) is not None:
        raise plan.refuse("calls outside")


def _watch_for_calls() -> None:
    """Refuse what calls outside without its author's saying so. A net, no proof: it does not see open connections."""
    global _watch_for_calls
    _watch_for_calls = lambda: None  # noqa: E731 - an audit hook can never be taken away, and one is enough
    sys.addaudithook(_refuse_calls)
