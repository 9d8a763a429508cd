"""Waiting for a database under gevent: others run meanwhile, no answer goes astray, no wait is for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.databases import SERVER_KINDS, Server, connected
from tests.integration.process import data, eventually, serving

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=SERVER_KINDS)
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


def measure(scenario: str, url: str, *more: str) -> dict[str, Any]:
    """Run a scenario of `waiting` in a process of its own; return what it measured."""
    command = [sys.executable, "-m", "tests.plugins.models.waiting", scenario, url, *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


@pytest.mark.parametrize("when", ["", "early"])
def test_twenty_statements_wait_together_and_leave_the_loop_free(server: Server, when: str) -> None:
    """4 seconds one after the other."""
    with server.database() as url:
        measured = measure("together", url, when)
    assert measured["seconds"] < 2


def test_twenty_requests_wait_in_the_database_while_their_process_answers(server: Server) -> None:
    """From the first request on, over HTTP: no connecting, importing or collecting of garbage holds the loop."""
    with server.database() as url, serving(url, "tests.plugins.models.waiting_actions:ROUTES") as address:
        data(address, "Late")
        with ThreadPoolExecutor(20) as threads, locked(url) as waiting:
            requests = [threads.submit(data, address, "Lock") for _ in range(20)]
            eventually(lambda: waiting() == 20, "a wait of each request")
            late = data(address, "Late")
            assert not any(request.done() for request in requests)
        assert [request.result() for request in requests] == [{}] * 20
    # A loop that waits in C is late by all of the time; these milliseconds are its own work for twenty at once.
    assert late["cpu"] < 50


@contextmanager
def locked(url: str) -> Iterator[Callable[[], int]]:
    """Hold what the action ``Lock`` waits for; gives what counts those who wait."""
    take, waiting = "GET_LOCK('densefog', 9)", "information_schema.processlist WHERE state = 'User lock'"
    if url.startswith("postgresql"):
        take, waiting = "pg_advisory_lock(1)", "pg_stat_activity WHERE wait_event_type = 'Lock'"
    with connected(url) as mine:
        mine.execute(text(f"SELECT {take}"))
        yield lambda: mine.scalar(text(f"SELECT count(*) FROM {waiting}")) or 0


def test_connecting_imports_nothing_for_which_two_threads_could_wait_for_ever(server: Server) -> None:
    with server.database() as url:
        assert measure("imported", url) == {"modules": []}


def test_an_interrupted_statement_leaves_no_answer_to_the_next_one(server: Server) -> None:
    with server.database() as url:
        measured = measure("interrupted", url)
    assert measured["timeouts"] == 10
    assert measured["seconds"] < 2
    assert measured["right"] is True
    assert measured["out"] == 0


def test_an_interrupted_transaction_is_undone_and_locks_are_waited_for_in_the_loop(server: Server) -> None:
    with server.database() as url:
        measured = measure("in_a_transaction", url)
    assert measured["n"] == 50
    assert measured["seconds"] < 3


def test_a_server_that_stops_answering_is_given_up_and_found_again(server: Server) -> None:
    with server.database() as url:
        limited = f"{url}?read_timeout=1&connect_timeout=2"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.plugins.models.waiting", "stopped", limited],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        with process, process.stdin, process.stdout:
            assert process.stdout.readline() == "ready\n"
            others = stop_all(server)
            try:
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "stopped\n"
            finally:
                for pid in others:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            measured = json.loads(process.stdout.readline())
    # A ping and a connection each, at most.
    assert 0.9 < measured["pooled"] < 8
    assert measured["native"] < 8
    assert measured["late"] < 300
    assert measured["answer"] == 42


def stop_all(server: Server) -> list[int]:
    """Pause a server and the processes that it has for its connections."""
    pids = [server.pid]
    for pid in pids:
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(pid, signal.SIGSTOP)
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return pids


def test_a_connection_that_the_server_ends_is_replaced(server: Server) -> None:
    with server.database() as url:
        measured = measure("lost", url)
    assert measured == {"invalidated": [True], "answer": 42}


def test_a_mysql_connection_is_one_greenlets_and_works_in_threads_and_with_several_results(innodb_url: str) -> None:
    measured = measure("shared", innodb_url)
    assert measured["errors"] == ["a database connection is used by two greenlets at once"]
    assert measured["several"] == [[[1]], 1, [[2]], 1, None]
    assert (measured["elsewhere"], measured["answer"]) == (7, 42)


def test_waiting_for_sqlites_lock_leaves_the_loop_free(tmp_path: Path) -> None:
    measured = measure("sqlite", f"sqlite:///{tmp_path}/jobs.db")
    assert measured["late"] < 400
    assert measured["rows"] == 5
