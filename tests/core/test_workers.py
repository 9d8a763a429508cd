"""Which jobs a worker runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from click.testing import CliRunner

from densefog_core.cli.serve import serve
from densefog_core.config import Config
from densefog_core.errors import ConfigError
from densefog_core.jobs import chosen, make_spec

SPECS = {name: make_spec(name, lambda: None, {}) for name in ("Boot", "Stop", "Sweep")}


def config(**settings: Any) -> Config:
    return Config().apply(app_root=".", **settings)


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({}, ["Boot", "Stop", "Sweep"]),
        ({"worker_only": ["Boot", "Stop"]}, ["Boot", "Stop"]),
        ({"worker_except": ["Sweep"]}, ["Boot", "Stop"]),
        ({"worker_only": ["Boot", "Stop"], "worker_except": ["Stop"]}, ["Boot"]),
    ],
)
def test_a_worker_runs_what_its_settings_leave(settings: dict[str, Any], left: list[str]) -> None:
    assert list(chosen(SPECS, config(**settings))) == left


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"worker_only": ["boot"]}, "setting worker_only: no installed package handles job 'boot'"),
        ({"worker_except": ["Sweeep"]}, "setting worker_except: .*'Sweep'"),
        ({"worker_only": ["Boot"], "worker_except": ["Boot"]}, "leave no job to run"),
    ],
)
def test_what_no_worker_can_run_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        chosen(SPECS, config(**settings))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["api", "--only", "Boot"], "an API runs none"),
        (["worker", "--except", " , "], "take actions"),
    ],
)
def test_options_that_mean_nothing_are_refused(words: list[str], why: str) -> None:
    """In one line, with the exit code of a wrong configuration."""
    done = CliRunner().invoke(serve, words)
    assert done.exit_code == 78 and re.search(why, done.output)
