"""The reference of the hooks: complete, and its examples run."""

from __future__ import annotations

import doctest

import click
import pytest

from densefog_core import hookspecs, iaas_error
from densefog_core.config import Setting
from densefog_core.plugins.markers import PREFIX, hookimpl
from densefog_core.testing import make_app

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith(PREFIX))


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_when_it_is_called_with_what_and_how_to_use_it(name):
    """A docstring has a sentence, when it is called, its arguments, and an example."""
    text = getattr(hookspecs, name).__doc__
    for part in ("Called ", "Args:", "Example:"):
        assert part in text


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_of_every_hook_runs(name):
    """The example in a hook's docstring does what it says."""
    names = {"hookimpl": hookimpl, "make_app": make_app, "Setting": Setting, "iaas_error": iaas_error, "click": click}
    found = doctest.DocTestFinder().find(getattr(hookspecs, name), name, globs=names)
    examples = [one for one in found if one.examples]
    assert examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in examples:
        assert runner.run(example).failed == 0
