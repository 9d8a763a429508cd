"""What a worker costs that has nothing to do; ``python -m tests.bench.idle`` tells it by the second."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import SERVER_KINDS, Server
from tests.integration.process import megabytes
from tests.plugins.models.stores import make_job
from tests.plugins.worker.processes import Site
from tests.sent import Sent, sent_by_others

#: Nothing but the question whether there is work.
PER_POLL = 1
POLLS = 10


def polls(statements: Counter[str]) -> int:
    return sum(count for what, count in statements.items() if "status = 'pending'" in what and "LIMIT" in what)


@pytest.mark.parametrize("kind", SERVER_KINDS)
def test_an_idle_worker_sends_few_statements_and_holds_no_jobs(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With 10,000 jobs in its table that are for later."""
    server: Server = request.getfixturevalue(kind)
    with server.database() as url:
        site = Site(tmp_path, url)
        site.store.enqueue([make_job("Quick", run_at=timedelta(days=1)) for _ in range(10_000)])
        # A lease that is so long that nobody looks for lost ones meanwhile.
        with sent_by_others(server) as sent, site.worker(worker_lease=600) as process:
            before = after_polls(site, sent, 3)
            after = after_polls(site, sent, polls(before) + POLLS)
            assert megabytes(process.pid) < 120
        site.close()
    between = after - before
    assert between.total() <= PER_POLL * (polls(between) + 1), between


def after_polls(site: Site, sent: Sent, count: int) -> Counter[str]:
    """Wait until a worker has polled so often; return what it has sent."""
    seen: Counter[str] = Counter()

    def polled() -> bool:
        seen.clear()
        seen.update(sent())
        return polls(seen) >= count

    site.until(polled)
    return seen
