"""Strict JSON: what comes in is unambiguous, what goes out can be read by anybody."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core import jsontext
from densefog_core.jsontext import InvalidJSON
from densefog_core.redact import Secret

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_what_goes_out_comes_in_again(value):
    assert jsontext.loads(jsontext.dumps(value)) == value
    assert jsontext.loads(jsontext.dumps(value, pretty=True)) == value


@given(values)
def test_it_agrees_with_the_standard_library_on_all_valid_documents(value):
    text = json.dumps(value)
    assert jsontext.loads(text.encode()) == json.loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_either_decoded_or_refused_with_a_reason(body):
    try:
        jsontext.loads(body)
    except InvalidJSON as exc:
        assert str(exc)


@given(st.text('{}[]":,0123e.-\\u untrfalse', max_size=40))
def test_whatever_is_taken_the_standard_library_takes_too(text):
    try:
        value = jsontext.loads(text)
    except InvalidJSON:
        return
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands in it twice"),
        (b'{"x": {"a": 1, "a": 2}}', "the key 'a' stands in it twice"),
        (b'{"a": ":", "a": 2}', "the key 'a' stands in it twice"),
        (b'{"a": NaN}', "NaN and Infinity are not JSON"),
        (b'{"a": -Infinity}', "NaN and Infinity are not JSON"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"\xff\xfe", "malformed|UTF-8|invalid"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"[" * 33 + b"]" * 33, "nested more than 32 levels"),
        (b"[" * 100_000, "nested more than 32 levels|truncated|cut off"),
        (b'{"a": 1} x', "trailing"),
        (b"{'a': 1}", "byte 1"),
        (b'{"a": 1e999}', "out of range"),
    ],
)
def test_a_refused_document_says_which_rule_it_breaks(body, reason):
    with pytest.raises(InvalidJSON, match=reason):
        jsontext.loads(body)


def test_the_deepest_allowed_document_is_taken():
    assert jsontext.loads(b"[" * 32 + b"]" * 32)


def test_a_colon_within_a_text_is_no_duplicate():
    assert jsontext.loads(b'{"a": "x:y", "b": "::"}') == {"a": "x:y", "b": "::"}


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int


class Pair(msgspec.Struct):
    left: int


class Model(dict):
    def jsonable(self):
        return {"shown": True}


class Shown:
    def jsonable(self):
        return {"shown": True}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 999), '"2026-01-02T03:04:05Z"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05Z"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=8))), '"2026-01-01T19:04:05Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        ((1, 2), "[1, 2]"),
        ({3}, "[3]"),
        ((n for n in (1, 2)), "[1, 2]"),
        (Colour.RED, '"red"'),
        (Decimal("1.10"), '"1.10"'),
        (UUID(int=0), '"00000000-0000-0000-0000-000000000000"'),
        (Point(1), '{"x": 1}'),
        (Pair(1), '{"left": 1}'),
        (Shown(), '{"shown": true}'),
        (Secret("hunter2"), '"********"'),
        ("é\u2028", '"é\u2028"'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_python_values_have_their_contracted_form(value, text):
    assert jsontext.dumps(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_never_leaves(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        jsontext.dumps({"a": [value]})


@pytest.mark.parametrize("value", [b"bytes", object(), {"a": int}])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(TypeError, match="is not JSON"):
        jsontext.dumps(value)


def test_a_structure_that_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="ircular"):
        jsontext.dumps(loop)


def test_keys_of_several_types_are_sorted_as_texts():
    assert jsontext.dumps({"b": 1, 2: 3, None: 4}, pretty=True).split() == [
        "{",
        '"2":',
        "3,",
        '"b":',
        "1,",
        '"null":',
        "4",
        "}",
    ]


def test_pretty_means_four_spaces_and_sorted_keys():
    assert jsontext.dumps({"b": 1, "a": [1]}, pretty=True) == '{\n    "a": [\n        1\n    ],\n    "b": 1\n}'


def counted(value):
    """Members and elements of a document."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    sums = [counted(item) for item in inner]
    members, elements = sum(one[0] for one in sums), sum(one[1] for one in sums)
    return (members + len(inner), elements) if isinstance(value, dict) else (members, elements + len(inner))


@given(values)
def test_a_document_of_just_the_limits_is_taken_and_no_larger_one(value):
    """Members and elements count at each depth, and signs within texts do not."""
    members, elements = counted(value)
    text = jsontext.dumps(value)
    assert jsontext.loads(text, jsontext.Limits(members, elements)) == value
    for less in [(members - 1, elements)] * bool(members) + [(members, elements - 1)] * bool(elements):
        with pytest.raises(InvalidJSON, match="it has more than"):
            jsontext.loads(text, jsontext.Limits(*less))
