"""Counts that all processes share, on each database."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from densefog_core.jobs import utcnow
from densefog_core.testing import make_app
from densefog_plugins import models, ratelimit
from densefog_plugins.models import counters
from densefog_plugins.models.counters import table
from densefog_plugins.models.counters.table import Count, SQLCounter
from densefog_plugins.models.database.database import database
from tests.databases import EVERY_KIND, new_database


@pytest.fixture(scope="module", params=EVERY_KIND)
def url(request, tmp_path_factory):
    with new_database(request.param, request, tmp_path_factory.mktemp("counters")) as url:
        yield url


@pytest.fixture
def process(url):
    """Makes applications that stand for processes: nothing but the database connects them."""
    made = []

    def make(**settings):
        given = {"store": "models", "db_url": url, **settings}
        made.append(make_app(models, counters, ratelimit, actions={"Ping": ping}, **given))
        SQLCounter(made[-1])
        made[-1].store.init()
        return made[-1]

    yield make
    for app in made:
        app.shutdown()


def ping():
    return {}


def test_no_count_is_lost_between_processes(process):
    apps = [process(), process()]
    counts, lock = [], threading.Lock()

    def count(counter):
        for _ in range(10):
            number = counter.add("visits", 60)
            with lock:
                counts.append(number)

    threads = [threading.Thread(target=count, args=(SQLCounter(app),)) for app in apps for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == list(range(1, 41))


def test_what_is_forgotten_is_deleted_and_nothing_else(process, monkeypatch):
    monkeypatch.setattr(table, "PRUNE_EVERY", 1)
    app = process()
    counter = SQLCounter(app)
    counter.add("old", 60)
    past = update(Count).values(expires=utcnow() - timedelta(seconds=1))
    database(app).run(lambda connection: connection.execute(past))
    counter.add("new", 60)
    assert database(app).run(lambda connection: connection.scalars(select(Count.id)).all()) == ["new"]


def test_a_caller_that_goes_from_process_to_process_is_limited_all_the_same(process):
    rules = {"ratelimit_rules": ["Ping=3/3600"], "ratelimit_shared": True}
    apis = [process(**rules).api() for _ in range(3)]
    codes = [apis[number % 3].post({"action": "Ping"})["retCode"] for number in range(6)]
    assert codes == [0, 0, 0, 4129, 4129, 4129]
