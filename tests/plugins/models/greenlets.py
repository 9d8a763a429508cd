"""Twenty greenlets that move money between locked rows; run as a program, it prints what came of it as JSON."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from sqlalchemy import Integer, func, select, text  # noqa: E402
from sqlalchemy.orm import Mapped, mapped_column  # noqa: E402

from densefog_core.actions import Request  # noqa: E402
from densefog_core.context import entered  # noqa: E402
from densefog_core.errors import DBLockTimeoutError  # noqa: E402
from densefog_plugins.models.database.database import database  # noqa: E402
from densefog_plugins.models.resource import ResourceMixin  # noqa: E402
from densefog_plugins.models.sessions import session, transaction  # noqa: E402
from tests.plugins.models.cloud import Own, cloud  # noqa: E402

ROWS, GREENLETS, EACH = 6, 20, 1000


class Account(ResourceMixin, Own):
    """A resource that has something to lose."""

    __tablename__ = "account"
    balance: Mapped[int] = mapped_column(Integer, default=EACH)


def work(until: float, result: dict[str, Any]) -> None:
    while time.monotonic() < until:
        with entered(Request("public", "Move", {})):
            try:
                move(random.random())
                result["done"] += 1
            except DBLockTimeoutError:
                result["told"] += 1
            except ZeroDivisionError:
                result["failed"] += 1
            except gevent.Timeout:
                result["timed_out"] += 1


def move(luck: float) -> None:
    with gevent.Timeout(0.002 if luck < 0.05 else None), transaction():
        ids = random.sample([f"acc-{number}" for number in range(ROWS)], 2)
        if luck < 0.1:
            # One after the other, in no order: this is how deadlocks are made.
            one, other = (Account.get(each, lock=True) for each in ids)
        else:
            one, other = Account.get_many(ids, lock=True)
        gevent.sleep(0.001)
        amount = random.randint(1, 5)
        one.balance -= amount
        session.flush()
        if luck > 0.9:
            raise ZeroDivisionError
        other.balance += amount


def tick(gaps: list[float]) -> None:
    before = time.monotonic()
    while True:
        gevent.sleep(0.005)
        now = time.monotonic()
        gaps.append(now - before)
        before = now


def main(url: str, seconds: float) -> None:
    with cloud(url, db_lock_timeout=2) as app:
        with transaction() as found:
            found.add_all([Account(id=f"acc-{number}", project_id="a", status="active") for number in range(ROWS)])
        result: dict[str, Any] = {"done": 0, "told": 0, "failed": 0, "timed_out": 0}
        gaps: list[float] = []
        ticker = gevent.spawn(tick, gaps)
        until = time.monotonic() + seconds
        gevent.joinall([gevent.spawn(work, until, result) for _ in range(GREENLETS)], raise_error=True)
        ticker.kill()
        pool: Any = database(app).engine.pool
        result |= {"checked_out": pool.checkedout(), "longest_gap": max(gaps)}
        with database(app).engine.connect() as connection:
            result["sum"] = int(connection.scalar(select(func.sum(Account.balance))) or 0)
            connection.rollback()
            others = "FROM information_schema.innodb_trx WHERE trx_mysql_thread_id != connection_id()"
            result["open"] = connection.scalar(text(f"SELECT count(*) {others}"))
        print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
