"""Tests of the causes of failures."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core.jobs.causes import MAX_LINE, cause_of, cause_text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("provider said no to vol-8NkZQZ6u", "provider said no to vol-*"),
        ("port 8a6e0804-2bd0-4672-b79d-d97027f9071a is gone", "port * is gone"),
        ("at 0x7f83a95a1f80 after 12 s", "at * after * s"),
        ("commit deadbeef12 of node-pool", "commit * of node-pool"),
        ("  first line\nsecond 1", "first line"),
        ("", ""),
    ],
)
def test_what_varies_is_left_out(error: str, text: str) -> None:
    """Ids keep their prefix; words stay as they are."""
    assert cause_text(error) == text


def test_one_failure_of_two_resources_has_one_cause() -> None:
    """Of another action it is another cause."""
    one, other = (cause_of("CreateVolumes", f"no room for vol-{name}") for name in ("8NkZQZ6u", "xW2fYq4T"))
    assert one == other != cause_of("DeleteVolumes", "no room for vol-8NkZQZ6u")
    assert re.fullmatch("[0-9a-f]{12}", one)


@given(st.text(max_size=2_000))
def test_any_text_has_a_cause(error: str) -> None:
    """Of a bounded part of it, and the same one each time."""
    assert len(cause_text(error)) <= MAX_LINE
    assert cause_of("A", error) == cause_of("A", error)
