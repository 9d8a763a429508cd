"""Describe*: one call gives a page, and a page far into a long table costs what the first one does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from densefog_core.errors.iaas_error import ResourceNotFound, ValidationError
from densefog_core.testing import TestApp
from densefog_plugins.models import lists as lists_module
from densefog_plugins.models import session, transaction
from densefog_plugins.models.listparams import Ids, ListParams
from densefog_plugins.models.lists import describe
from tests.plugins.models.cloud import NOON, A, B, Disk, Plain, add, statements
from tests.plugins.models.stores import EXPLAIN


class DescribeDisks(ListParams):
    disk_ids: Ids | None = None


def describe_disks(params: DescribeDisks) -> dict[str, Any]:
    return describe(
        Disk, params, "diskSet", project_id=A, ids=params.disk_ids,
        verbose=lambda disks: [{**disk.jsonable(), "owner": disk.project_id} for disk in disks],
    )


PARTS = {"actions": {"DescribeDisks": describe_disks}}


def call(app: TestApp, **params: Any) -> dict[str, Any]:
    reply = app.api().post({"action": "DescribeDisks", **params})
    assert reply["retCode"] == 0, reply
    data: dict[str, Any] = reply["data"]
    return data


def ids(page: dict[str, Any]) -> list[str]:
    return [row["diskId"] for row in page["diskSet"]]


def add_hourly(count: int, **values: Any) -> list[str]:
    """Add disks, the oldest first."""
    return [add(created=NOON + timedelta(hours=number), **values)[0] for number in range(count)]


def test_a_page_has_the_contracts_members_and_the_newest_first(app: TestApp) -> None:
    added = add_hourly(3)
    page = call(app)
    assert list(page) == ["limit", "offset", "total", "diskSet"]
    assert (page["limit"], page["offset"], page["total"]) == (20, 0, 3)
    assert ids(page) == added[::-1]
    assert page["diskSet"][0] == {"diskId": added[2], "name": "", "status": "available"}


def test_limit_offset_and_reverse(app: TestApp) -> None:
    added = add_hourly(5)
    page = call(app, limit=2, offset=1, reverse=False)
    assert (ids(page), page["total"]) == (added[1:3], 5)
    assert ids(call(app, limit=2, offset=4)) == added[:1]
    assert ids(call(app, offset=5)) == []


def test_an_empty_list(app: TestApp) -> None:
    assert call(app) == {"limit": 20, "offset": 0, "total": 0, "diskSet": []}


def test_another_projects_resources_are_not_listed_whatever_is_asked(app: TestApp) -> None:
    theirs = add(2, project_id=B, name="theirs")
    assert ids(call(app)) == ids(call(app, diskIds=theirs)) == ids(call(app, searchWord="theirs")) == []


def test_ids_and_status(app: TestApp) -> None:
    added = add(3)
    gone = add(status="deleted")
    assert sorted(ids(call(app, diskIds=added[:2]))) == sorted(added[:2])
    assert ids(call(app, diskIds=[])) == []
    assert ids(call(app, status=["creating"])) == []
    assert sorted(ids(call(app))) == sorted(added)
    assert ids(call(app, status=["deleted"])) == ids(call(app, diskIds=gone)) == gone


@pytest.mark.parametrize("word", ["50%", "a_b", "back\\slash", "it's", "sla/sh", "[x]", "§", "MiXed"])
def test_a_search_word_means_itself(app: TestApp, word: str) -> None:
    (one,) = add(name=f"the {word} one")
    add(name="the 50 axb backslash")
    assert ids(call(app, searchWord=word)) == [one]


def test_a_NUL_is_found_nowhere(app: TestApp) -> None:
    add()
    for params in ({"searchWord": "r\0"}, {"diskIds": ["r\0"]}, {"status": ["a\0"]}):
        assert ids(call(app, **params)) == []
    with pytest.raises(ResourceNotFound):
        Disk.get("r\0", project_id=A)


def test_a_search_ignores_case_and_looks_at_the_id_too(app: TestApp) -> None:
    (one,) = add(name="Web Server")
    assert ids(call(app, searchWord="web SERV")) == ids(call(app, searchWord=one[3:])) == [one]


def test_a_time_range_includes_its_ends_and_knows_zones(app: TestApp) -> None:
    added = add_hourly(4)
    page = call(app, createdFrom="2030-01-01T13:00:00Z", createdTo="2030-01-01T15:00:00+01:00", reverse=False)
    assert ids(page) == added[1:3]


def test_verbose_adds_what_belongs_to_the_resources(app: TestApp) -> None:
    add()
    assert call(app, verbose=True)["diskSet"][0]["owner"] == A
    assert "owner" not in call(app)["diskSet"][0]


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"diskIds": ["x"] * 101}, {"status": "available"}]
)
def test_what_is_out_of_range_is_4110(app: TestApp, params: dict[str, Any]) -> None:
    assert app.api().post({"action": "DescribeDisks", **params})["retCode"] == 4110


def test_a_table_of_three_columns_is_listed_by_id(app: TestApp) -> None:
    added = add(5, Plain)
    first = describe(Plain, ListParams(limit=3), "set", project_id=A)
    second = describe(Plain, ListParams(limit=3, next_token=first["nextToken"]), "set", project_id=A)
    assert "nextToken" not in second
    assert sorted(one.id for one in (*first["set"], *second["set"])) == sorted(added)


# -- nextToken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [True, False])
def test_following_the_tokens_gives_every_row_once_also_of_one_second(app: TestApp, reverse: bool) -> None:
    added = {*add(7, created=NOON), *add(5, created=NOON + timedelta(seconds=1)), *add_hourly(3)}
    seen, params = [], {"limit": 4, "reverse": reverse}
    while True:
        page = call(app, **params)
        seen += ids(page)
        if "nextToken" not in page:
            break
        params["nextToken"] = page["nextToken"]
    assert len(seen) == len(added)
    assert set(seen) == added
    everything = ids(call(app, reverse=reverse))
    assert seen == everything


def test_rows_that_come_and_go_meanwhile_move_no_other_row(app: TestApp) -> None:
    added = add_hourly(6)
    first = call(app, limit=2)
    with transaction():
        Disk.get(added[4]).soft_delete()
    add(created=NOON + timedelta(days=1))
    assert ids(call(app, limit=2, nextToken=first["nextToken"])) == added[3:1:-1]


def test_a_page_after_a_token_counts_no_total(app: TestApp) -> None:
    add(5)
    token = call(app, limit=2)["nextToken"]
    with statements(app) as seen:
        assert "total" not in call(app, limit=2, nextToken=token)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "token", ["x", "====", "W10", "bnVsbA", "WzEsMiwzXQ", "WyJhIiwgImIiXQ", "ö", "W3RydWUsIjIiLCIzIl0"]
)
def test_a_token_of_no_list_is_4110(app: TestApp, token: str) -> None:
    reply = app.api().post({"action": "DescribeDisks", "nextToken": token})
    assert (reply["retCode"], reply["data"]["errors"][0]["path"]) == (4110, "/nextToken")


def test_a_token_of_the_other_direction_is_4110(app: TestApp) -> None:
    add(3)
    token = call(app, limit=1)["nextToken"]
    with pytest.raises(ValidationError):
        describe(Disk, ListParams(next_token=token, reverse=False), "set", project_id=A)


# -- the plan --------------------------------------------------------------------------------------------------


def explain(statement: Any) -> str:
    dialect = session.get_bind().dialect
    sql = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).replace("%%", "%")
    rows = session.execute(text(EXPLAIN[dialect.name] + sql.replace(":", "\\:")))
    return "\n".join(map(str, rows))


def test_the_keys_of_a_page_come_from_the_index_alone_and_unsorted(app: TestApp) -> None:
    rows = [
        {"id": f"r-{number}", "project_id": f"p{number % 3}", "status": "available", "name": "x" * 90,
         "created": NOON + timedelta(seconds=number), "updated": NOON}
        for number in range(4000)
    ]
    with transaction() as found:
        found.execute(insert(Disk), rows)
    analyze(found)
    token = lists_module._token([NOON + timedelta(seconds=2000), "r-2000"], reverse=True)
    for page in (ListParams(offset=1000), ListParams(next_token=token)):
        query = lists_module._page(Disk, page, list(lists_module._conditions(Disk, page, "p1", None, ())))
        plan = explain(query)
        kind = found.get_bind().dialect.name
        if kind == "sqlite":
            assert "USING COVERING INDEX ix_disk_list (project_id=?" in plan
        elif kind == "postgresql":
            assert "Index Only Scan Backward using ix_disk_list" in plan
        else:
            (keys,) = (line for line in plan.splitlines() if "ix_disk_list" in line)
            assert "Using index" in keys
            assert "filesort" not in keys
    first = explain(lists_module._page(Disk, ListParams(), list(lists_module._conditions(Disk, page, "p1", None, ()))))
    assert "ix_disk_list" in first
    assert "sort" not in first.lower().replace("incremental", "")
    assert "TEMP B-TREE" not in first


def analyze(found: Session) -> None:
    engine = found.get_bind()
    statements = {"sqlite": "ANALYZE", "postgresql": "VACUUM ANALYZE disk"}
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:  # type: ignore[union-attr]
        connection.exec_driver_sql(statements.get(engine.dialect.name, "ANALYZE TABLE disk"))


def test_a_page_with_its_total_takes_one_statement_and_an_empty_one_behind_the_last_takes_two(app: TestApp) -> None:
    add(3)
    for offset, counts in ((0, 1), (2, 1), (3, 2)):
        with statements(app) as seen:
            assert call(app, offset=offset)["total"] == 3
        assert len(seen) == counts
