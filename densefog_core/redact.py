"""What must never be stored, logged or sent."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

HIDDEN = "********"

#: Deeper than this nothing is looked at any more: it is hidden.
MAX_DEPTH = 32

#: A key is secret when it has one of these words...
_WORDS = frozenset(
    "password passwd passphrase pwd secret secrets token tokens credential credentials authorization cookie cookies "
    "otp pin signature userdata apikey privatekey secretkey".split()
)
#: ... or two of them side by side; `keyName`, `accessKey` and `keyPairIds` are public.
_PAIRS = frozenset(
    (first, "key") for first in ("api", "private", "secret", "encryption", "signing", "ssh", "master", "auth")
) | {("user", "data"), ("pass", "word"), ("pass", "phrase")}
#: ... unless it is about a secret rather than one.
_ABOUT = frozenset("id ids name names type count length expires expiry expired period policy url uri hint".split())

_split = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+").findall


@lru_cache(maxsize=4096)
def is_secret_key(name: str) -> bool:
    """Return whether a member of this name holds a secret: ``password``, ``accessSecret``, ``user_data``."""
    words = [word.lower() for word in _split(name[:200])]
    if not words or words[-1] in _ABOUT:
        return False
    if not _WORDS.isdisjoint(words):
        return True
    singular = [word if word.endswith("ss") else word.removesuffix("s") for word in words]
    return any(pair in _PAIRS for pair in pairwise(singular))


class Secret:
    """A text that shows itself as ``********``: in repr, in formatting, in logs, tables, notices and replies.

    Use it as the type of a parameter; only `reveal` gives the value. It is no ``str``, or whatever treats texts
    specially, a JSON encoder or a database driver, would write it as it is.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __str__(self) -> str:
        return HIDDEN

    def __repr__(self) -> str:
        return f"Secret('{HIDDEN}')"

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        """Compare with a secret or a text in constant time."""
        import hmac

        theirs = other._value if isinstance(other, Secret) else other
        if not isinstance(theirs, str):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), theirs.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def jsonable(self) -> str:
        """Return what JSON shows."""
        return HIDDEN


def holds_secret(value: object) -> bool:
    """Return whether there is a `Secret` in nested dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return any(map(holds_secret, value.values()))
    return any(map(holds_secret, value)) if isinstance(value, list | tuple) else isinstance(value, Secret)


def is_masked(value: object) -> bool:
    """Return whether a secret was hidden in nested dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return any(map(is_masked, value.values()))
    return any(map(is_masked, value)) if isinstance(value, list | tuple) else value == HIDDEN


def redact(value: Any) -> Any:  # noqa: ANN401
    """Return a copy of ``value`` in which every secret is ``********``; ``value`` itself stays as it is.

    Args:
        value: nested dicts, lists, tuples, sets, dataclasses and structs; anything else is returned as it is.
    """
    return _redact(value, MAX_DEPTH)


def _redact(value: Any, depth: int) -> Any:  # noqa: ANN401
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool or kind is float:
        return value
    if kind is Secret:
        return HIDDEN
    if not depth:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if type(key) is str and is_secret_key(key) and item is not None else _redact(item, depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        items = [_redact(item, depth - 1) for item in value]
        return items if isinstance(value, list) else tuple(items) if isinstance(value, tuple) else set(items)
    if isinstance(value, msgspec.Struct):
        return _redact(msgspec.structs.asdict(value), depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _redact({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, depth)
    return value


_VALUES = (
    # user:password@ in an address. A scheme is short and starts where no other one can: the search stays linear.
    re.compile(r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^\s:/@]*:)[^\s@/]+(?=@)", re.I),
    # webhooks whose address is the secret
    re.compile(r"(https?://hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\"']+", re.I),
    # Authorization: Bearer abc, Basic abc
    re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.I),
)
_key = re.compile(r"""(?P<quote>["']?)(?P<key>[A-Za-z][A-Za-z0-9_.-]{1,60})(?P=quote)\s{0,20}[:=]\s{0,20}""")
_value = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&'"(){}\[\]]+""")


def redact_text(text: str) -> str:
    """Return ``text`` with what looks like a secret hidden.

    Found are credentials in addresses, Slack webhooks, ``Authorization`` values, and ``key=value``, ``key: value`` and
    ``"key": "value"`` where the key is one of `is_secret_key`.
    """
    for pattern in _VALUES:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return _hide_values(text) if ("=" in text or ":" in text) else text


def _hide_values(text: str) -> str:
    # The value of a key that is no secret is not skipped: it may hold a pair that is one.
    pieces, at = [], 0
    for key in _key.finditer(text):
        if key.start() < at or not is_secret_key(key["key"].rpartition(".")[2]):
            continue
        if value := _value.match(text, key.end()):
            quote = value[0][0] if value[0][0] in "\"'" else ""
            pieces.append(f"{text[at : key.end()]}{quote}{HIDDEN}{quote}")
            at = value.end()
    return "".join(pieces) + text[at:]
