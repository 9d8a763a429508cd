"""Values that a column cannot hold: 4110 with a pointer on each database, never 5000."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import BigInteger, Integer, String, select
from sqlalchemy.orm import Mapped, mapped_column

from densefog_core import action, enqueue, job
from densefog_core.testing import TestApp
from densefog_plugins.models.sessions import session, transaction
from tests.plugins.models.cloud import Own


class Shelf(Own):
    """One column of each kind that has an end."""

    __tablename__ = "shelf"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    size: Mapped[int] = mapped_column(Integer, default=0)
    weight: Mapped[int] = mapped_column(BigInteger, default=0)
    label: Mapped[str] = mapped_column(String(50), default="")


@action
def put(params: dict[str, Any]) -> dict[str, Any]:
    """Write what the request says, as a careless handler does."""
    with transaction() as here:
        here.add(Shelf(id=params["id"], **params.get("columns", {})))
    return {}


@action
def find(params: dict[str, Any]) -> dict[str, Any]:
    """Look for what the request says."""
    column = getattr(Shelf, params["by"])
    return {"found": [row.id for row in session.scalars(select(Shelf).where(column == params["value"]))]}


@action
def start(params: dict[str, Any]) -> dict[str, Any]:
    """Enqueue a job about what the request says."""
    enqueue("Work", {"resource_ids": params["ids"]})
    return {}


@action
def own(params: dict[str, Any]) -> dict[str, Any]:
    """Write what no request said."""
    with transaction() as here:
        here.add(Shelf(id="x" * 40_000, weight=2**80))
    return {}


@job
def work() -> None:
    """Do nothing."""


PARTS = {"actions": {"Put": put, "Find": find, "Start": start, "Own": own}, "jobs": {"Work": work}}
LONG = "x" * 40_000


def refusals(app: TestApp, name: str, **params: Any) -> list[str]:
    """Return the places that the reply blames; nothing when the call was carried out."""
    reply = app.api().post({"action": name, **params})
    assert reply["retCode"] in (0, 4110), reply
    return [one["path"] for one in reply["data"].get("errors", ())]


@pytest.mark.parametrize(
    ("params", "at"),
    [
        ({"id": "a", "columns": {"weight": 2**63}}, "/columns/weight"),
        ({"id": "b", "columns": {"weight": -(2**64)}}, "/columns/weight"),
        ({"id": "c", "columns": {"size": 2**31}}, "/columns/size"),
        ({"id": "d", "columns": {"label": LONG}}, "/columns/label"),
        ({"id": LONG}, "/id"),
        ({"id": "e", "columns": {"label": "a\0b"}}, "/columns/label"),
        ({"id": "f", "columns": {"label": "\U0001f600"}, "long": "x" * 99}, "/columns/label"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(app: TestApp, params: dict[str, Any], at: str) -> None:
    """SQLite holds most of it, whatever the column says; none answers 5000."""
    assert refusals(app, "Put", **params) in ([at], [])


@pytest.mark.parametrize("value", [LONG, "a\0b", 2**31, 2**63, -(2**70), "\U0001f600"])
@pytest.mark.parametrize("by", ["id", "size", "weight"])
def test_what_cannot_be_compared_is_refused_or_not_there(app: TestApp, by: str, value: object) -> None:
    """A search for it finds nothing, or says that there can be no such thing."""
    if isinstance(value, str) is (by == "id"):
        assert refusals(app, "Find", by=by, value=value) in (["/value"], [])


def test_a_job_of_more_than_its_column_holds_is_refused(app: TestApp) -> None:
    """The value stands in a text of many: it is found there."""
    assert refusals(app, "Start", ids=["vol-1", "y" * 70_000]) in (["/ids/1"], [])


def test_what_the_handler_made_up_is_its_own_fault(app: TestApp) -> None:
    """No caller can mend that."""
    assert app.api().post({"action": "Own"})["retCode"] == 5000
