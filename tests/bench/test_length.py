"""What is said of the lengths of the sample cloud and of its twin in plain Flask and Celery is true."""

from __future__ import annotations

import inspect

import stratus.actions
import stratus.jobs

import tests.bench.plain.actions  # noqa: F401 - they register themselves
from densefog_core.functions import camel_case
from tests.bench.length import PLAIN, STRATUS, lengths, longer, main
from tests.bench.plain.calls import ACTIONS
from tests.bench.plain.work import celery


def marked(module, mark):
    """Return the names under which a module's functions are registered."""
    return {getattr(one, mark)[0] for one in filter(inspect.isfunction, vars(module).values()) if hasattr(one, mark)}


def test_every_action_and_job_of_stratus_is_counted_and_has_a_twin():
    assert set(STRATUS.actions) == marked(stratus.actions, "__densefog_action__") == set(PLAIN.actions) == set(ACTIONS)
    tasks = {camel_case(name.rpartition(".")[2]) for name in celery.tasks if not name.startswith("celery.")}
    assert set(STRATUS.tasks) == marked(stratus.jobs, "__densefog_job__") == set(PLAIN.tasks) == tasks


def test_stratus_is_shorter_and_none_of_its_functions_is_longer():
    assert sum(STRATUS.actions.values()) < sum(PLAIN.actions.values())
    assert sum(STRATUS.tasks.values()) < sum(PLAIN.tasks.values())
    assert longer() == []


def test_what_the_plain_one_needs_beside_is_more_than_twice_as_long():
    assert 2 * sum(STRATUS.beside.values()) < sum(PLAIN.beside.values())


SOURCE = '''
"""A module."""
from typing import Any

class Params:
    """What it takes."""

    size: int  # in gigabytes
    text: str = "#"

@action(
    "Create"
)
@transaction
def create_volumes(params: Params) -> None:
    """Create."""
    # Why.
    start(params)

    return None

@action
def resize_volumes(params: Params) -> None: ...

def helper() -> None:
    return None
'''


def test_decorators_signature_body_and_parameters_count_and_words_do_not():
    assert lengths(SOURCE) == {"CreateVolumes": 3 + 4 + 1 + 2, "ResizeVolumes": 2}


def test_the_table_has_a_line_for_each_function(capsys):
    main()
    printed = capsys.readouterr().out
    for name in (*STRATUS.actions, *STRATUS.tasks, "actions and jobs", "together"):
        assert f"\n{name} " in printed
    assert "longer on densefog: none" in printed
