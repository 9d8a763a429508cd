"""What ``densefog jobs pause`` is given."""

from __future__ import annotations

from datetime import datetime

import pytest
from click.testing import CliRunner

from densefog_core.cli.jobs import jobs
from densefog_core.cli.pauses import moment
from densefog_core.current import set_current_app
from densefog_core.testing import TestApp, make_app

NOON = datetime(2026, 11, 23, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", datetime(2026, 11, 23, 18)),
        ("6:30", datetime(2026, 11, 24, 6, 30)),
        ("12:00", datetime(2026, 11, 24, 12)),
        ("90m", datetime(2026, 11, 23, 13, 30)),
        ("2d", datetime(2026, 11, 25, 12)),
        ("2026-11-27T06:00Z", datetime(2026, 11, 27, 6)),
        ("2026-11-27T06:00+02:00", datetime(2026, 11, 27, 4)),
        ("2026-11-27 06:00", datetime(2026, 11, 27, 6)),
    ],
)
def test_until_is_a_time_of_day_a_span_or_a_date(text: str, expected: datetime) -> None:
    """A time of day is the next one, and all is UTC."""
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "soon", "25:00", "-5m", "9999999d", "9999-12-31T23:00-02:00", "18:00 "])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        moment(text, NOON)


@pytest.fixture
def app() -> TestApp:
    app = make_app(jobs={"Boot": lambda: None, "Sweep": lambda: None})
    set_current_app(app)
    return app


def type_(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(jobs, words)
    assert done.exit_code == code, done.output
    return done.output


def test_the_commands_pause_list_and_resume(app: TestApp) -> None:
    """Each says what it did, and ``stats`` why jobs wait."""
    assert type_("pause", "Boot", "Sweep", "--reason", "ceph is down") == "action Boot paused\naction Sweep paused\n"
    job_id = app.enqueue("Boot")
    assert app.run_jobs() == 0
    listed = type_("pauses")
    assert "action Boot" in listed and "cli:" in listed and "ceph is down" in listed
    assert "paused: action Boot, by cli:" in type_("stats")
    assert '"what": "action Boot"' in type_("stats", "--json")
    assert "not paused: project acme" in type_("resume", "--project", "acme", code=1)
    assert type_("resume", "Boot", "Sweep") == "action Boot resumed\naction Sweep resumed\n"
    assert app.run_jobs() == 1
    assert app.store.get(job_id).status == "finished"  # type: ignore[union-attr]
    assert "paused" not in type_("stats", "--json")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("pause", "--reason", "x"), 2, "one of these"),
        (("pause", "Boot", "--all", "--reason", "x"), 2, "one of these"),
        (("pause", "Boot", "--project", "a", "--reason", "x"), 2, "one of these"),
        (("pause", "Boot"), 2, "--reason"),
        (("pause", "Boot", "--reason", " "), 2, "--reason is empty"),
        (("pause", "Boto", "--reason", "x"), 1, "did you mean 'Boot'"),
        (("pause", "Boot", "--reason", "x", "--until", "noon"), 2, "'noon' is no time such as 18:00"),
        (("pause", "Boot", "--reason", "x", "--until", "2020-01-01"), 1, "2020-01-01T00:00:00Z has passed"),
        (("pause", "--project", "p" * 93, "--reason", "x"), 1, "more than 100 characters"),
    ],
)
def test_what_cannot_be_paused_is_said(app: TestApp, words: tuple[str, ...], code: int, why: str) -> None:
    """And nothing is paused."""
    assert why in type_(*words, code=code)
    assert app.store.pauses.read() == []
