"""Redaction: no secret in any depth or spelling, and everything else as it was."""

import copy
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core.redact import HIDDEN, Secret, is_masked, is_secret_key, redact, redact_text

SECRET_WORDS = [
    ("password",),
    ("access", "secret"),
    ("api", "key"),
    ("user", "data"),
    ("private", "key"),
    ("auth", "token"),
    ("admin", "passwd"),
    ("client", "credentials"),
    ("secret", "key"),
    ("pass", "phrase"),
    ("db", "password", "old"),
]


def spellings(words):
    title = [word.title() for word in words]
    return ["_".join(words), "-".join(words), words[0] + "".join(title[1:]), "".join(title), "_".join(words).upper()]


@pytest.mark.parametrize("name", [name for words in SECRET_WORDS for name in spellings(words)])
def test_secret_names_are_known_in_snake_camel_kebab_and_upper_case(name):
    assert is_secret_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "accessKey",
        "keyName",
        "keyPairIds",
        "tokenId",
        "passwordLength",
        "secretName",
        "volumeIds",
        "key",
        "monkey",
        "compass",
        "tokenExpires",
        "",
        "userName",
        "data",
    ],
)
def test_public_names_are_left_alone(name):
    assert not is_secret_key(name)


keys = st.sampled_from([name for words in SECRET_WORDS for name in spellings(words)])
plain = st.text("abcXYZ012 _-", max_size=8).filter(lambda name: not is_secret_key(name))
MARK = "hunter2-must-not-leave"
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(plain, inner, max_size=3)
        | st.dictionaries(keys, st.just(MARK) | st.lists(st.just(MARK), max_size=2) | st.just({"x": MARK}), max_size=2)
    ),
    max_leaves=15,
)


@given(trees)
def test_no_value_of_a_secret_key_survives_anywhere_and_the_original_is_untouched(tree):
    before = copy.deepcopy(tree)
    assert MARK not in repr(redact(tree))
    assert tree == before


@given(trees)
def test_redacting_twice_changes_nothing_more(tree):
    assert redact(redact(tree)) == redact(tree)


@given(trees)
def test_what_lost_a_secret_is_told_from_what_had_none(tree):
    assert is_masked(redact(tree)) is (redact(tree) != tree)
    assert not is_masked(tree)


@given(st.recursive(st.integers() | st.text(max_size=5), lambda inner: st.dictionaries(plain, inner, max_size=3)))
def test_what_holds_no_secret_stays_equal(tree):
    assert redact(tree) == tree


@given(keys, st.from_regex(r"[A-Za-z0-9+/=._~-]{6,30}", fullmatch=True))
def test_text_hides_what_stands_behind_a_secret_name(key, value):
    for line in (f"{key}={value} more", f'{{"{key}": "{value}"}}', f"{key}: {value}", f"--{key}={value}"):
        assert value not in redact_text(line).replace(key, "")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("mysql://root:hunter2@db/x", "hunter2"),
        ("POST https://hooks.slack.com/services/T0/B0/XYZ failed", "XYZ"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("header 'authorization': 'Basic dXNlcjpwYXNz'", "dXNlcjpwYXNz"),
        ("password='with spaces inside'", "spaces"),
    ],
)
def test_text_hides_credentials_of_known_forms(text, gone):
    assert gone not in redact_text(text)
    assert HIDDEN in redact_text(text)


@given(st.text(max_size=200))
def test_any_text_is_redacted_without_an_error(text):
    redact_text(text)


def test_text_without_secrets_is_unchanged():
    line = "volume vol-1 of 10 GiB: created in 0.2 s (try=1)"
    assert redact_text(line) == line


def test_depth_is_bounded_and_what_lies_deeper_is_hidden():
    tree = {"password": MARK}
    for _ in range(100):
        tree = {"a": tree}
    assert MARK not in repr(redact(tree))


@dataclass
class Login:
    user: str
    password: str


class Key(msgspec.Struct):
    api_key: str


def test_dataclasses_and_structs_are_looked_into():
    assert redact([Login("ada", MARK), Key(MARK)]) == [{"user": "ada", "password": HIDDEN}, {"api_key": HIDDEN}]


def test_none_is_no_secret():
    assert redact({"password": None}) == {"password": None}


def test_a_secret_shows_itself_nowhere_but_gives_its_value_on_request():
    secret = Secret(MARK)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>10}", "%s" % secret, redact({"x": secret})["x"]]  # noqa: UP031
    assert all(MARK not in one for one in shown)
    assert secret.reveal() == MARK
    assert secret == MARK
    assert secret != "other"
    assert secret != 5


@pytest.mark.parametrize(
    "value",
    [
        {"name": "DB_PASSWORD", "value": MARK},
        {"env": [{"Key": "password", "Value": MARK}]},
        {"header": "X-Auth-Token", "content": MARK},
        [["Authorization", MARK]],
        ("Cookie", MARK),
        ["--password", MARK, "x"],
        {"cmd": ["run", "--token", MARK]},
        {"url": f"https://u:{MARK}@h"},
        {"config": f'{{"password": "{MARK}"}}'},
    ],
)
def test_pairs_and_texts_in_values_are_hidden(value):
    """A name and its value may be two members or items, and a text is looked at like any other."""
    assert MARK not in repr(redact(value))


def test_a_yes_or_no_is_no_secret():
    """Whether a password is set may be known."""
    assert redact({"password": True}) == {"password": True}
