"""Work on others' text grows as the text does; steps are counted, see `tests.kit.linear`."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.linear import MOST, growth
from tests.kit.patterns import nests_repeats
from tests.kit.steps import Counter, Counting, Machine

#: Patterns for what the application or the operator writes.
OWN = {
    "densefog_core.config", "densefog_core.actions.declaring", "densefog_core.jobs.schedules", "densefog_core.cli.new",
    "densefog_core.cli.pauses", "densefog_core.cli.plugins", "densefog_plugins.ratelimit.limiter",
}  # fmt: skip
#: What the first of a few digits or letters decides, or msgspec looks for.
SHORT = {r":[0-9]{1,5}(?=[/?#]|\Z)", r"\.([^.\[`]+)|\[(\d+)\]", r"^[A-Za-z0-9._-]+(?![\s\S])"}


def run(examples: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.kit.linear", str(examples)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def literals() -> Iterator[str | bytes]:
    """The patterns that stand in a call of `re`, also in functions that nothing has called."""
    for package in ("densefog_core", "densefog_plugins", "densefog"):
        for path in (Path(__file__).parents[2] / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str | bytes):
                        yield first.value


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a short run finds."""
    return run(3)


def test_no_function_takes_more_than_linear_steps(found: dict[str, Any]) -> None:
    """On texts that are four times as long none takes nine times the steps."""
    assert [one for one in found["found"] if one["growth"] >= MOST] == []


def test_each_pattern_for_others_text_is_among_what_was_run(found: dict[str, Any]) -> None:
    """A new one needs a function in `tests.kit.texts` that uses it."""
    unused = {pattern: module for pattern, module in found["unused"].items() if module not in OWN}
    assert set(unused) <= SHORT


def test_no_pattern_of_the_source_repeats_a_repeat(found: dict[str, Any]) -> None:
    """On a text that almost fits, it would try all ways to share it out."""
    assert len(found["patterns"]) > 30
    assert found["nested"] == []
    assert [text for text in literals() if nests_repeats(text)] == []


@pytest.mark.chaos
def test_many_texts_more_take_linear_steps_too() -> None:
    """The same with pieces put together at random."""
    assert [one for one in run(60)["found"] if one["growth"] >= MOST] == []


# -- the counting itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [r"\w*\d", r"a+=", r"(?:a|b)+c"])
def test_a_search_that_starts_again_is_seen_to_be_quadratic(pattern: str) -> None:
    """Else nothing above would mean anything."""
    counter = Counter()
    search = Counting(re.compile(pattern), counter).search
    counts = []
    for size in (100, 400):
        counter.count = 0
        search("a" * size)
        counts.append(counter.count)
    assert counts[1] > 12 * counts[0]


def test_what_looks_through_a_list_for_each_of_its_items_is_seen() -> None:
    """That is how a key that stood twice once held up every request."""
    assert growth(lambda text: [list(text).count(one) for one in text], "", "ab", "") >= MOST
    assert growth(lambda text: [list(text).pop() for one in text], "", "ab", "") < MOST


@given(st.text("abx=.' \\fo\n", max_size=14))
def test_the_machine_finds_what_re_finds(text: str) -> None:
    """From each place on, for each kind of what a pattern is made of."""
    for pattern in (
        r"(a+)+b", r"(?<![\w.-])(?P<k>[\w.-]++)=", r"(?:[^\\']++|\\.)*+", r"(?P<t>a|b)x(?P=t)", r"\bfoo\b|ba?o",
        r"a{2,4}?b", r"(?i)X[^a-c]", r"(?<=a)b(?!x)", r"(a*)*b", r"(?>a+)b", r"x$", r"\A.*\Z", r"[\d=.]{0,3}+x",
    ):  # fmt: skip
        machine, real = Machine(pattern, 0, Counter()), re.compile(pattern)
        for at in range(len(text) + 1):
            match = real.match(text, at)
            assert machine._run(machine._program, [ord(one) for one in text], at, {}) == (match and match.end())


@pytest.mark.parametrize(
    ("pattern", "nests"),
    [
        (r"(a+)+", True), (r"(a|b*)*", True), (r"(?=(a+)*)", True), (r"(?:a+)*+", True), (r"((a+)?b?)*", True),
        (r"a+b+", False), (r"(?:a++)*", False), (r"(?:[^x]++|y)*+", False), (r"(?>a+)+", False), (r"(a{1,9})+", False),
    ],
)  # fmt: skip
def test_a_repeat_of_a_repeat_is_seen(pattern: str, nests: bool) -> None:
    """Unless the inner one gives nothing back."""
    assert nests_repeats(pattern) is nests
