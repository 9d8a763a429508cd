# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""What is wrong with a request, in words that have none of its values, and where."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from densefog_core.errors import ValidationError
from densefog_core.redact import HIDDEN, is_secret_key

#: JSON pointer, and what is wrong there.
Problem = tuple[str, str]

#: Problems that one request is told of; a list of 100,000 bad items would keep the process from others.
MAX_PROBLEMS = 100


def refused(problems: Iterable[Problem]) -> ValidationError:
    """Return the error of a request that has one problem or more; its text is the first one."""
    errors = [{"path": at, "message": words} for at, words in itertools.islice(problems, MAX_PROBLEMS)]
    first = f"{errors[0]['path']} {errors[0]['message']}".strip()
    return ValidationError(f"Illegal request format: {first}", errors)


def pointer(at: str, step: str | int) -> str:
    """Return the JSON pointer (RFC 6901) to a member or item of what stands at ``at``."""
    return f"{at}/{str(step).replace('~', '~0').replace('/', '~1')}"


def missing(name: str) -> str:
    """Return the words for a member that is not there; its object is what the pointer points to."""
    return f"'{name}' is a required property"


def one_of(options: Sequence[object]) -> str:
    """Return the words for a value that is none of ``options``."""
    return f"Expected one of {', '.join(map(repr, options))}"


def without_secrets(words: str, value: Any, at: str = "") -> str:
    """Return what an application says about a request's value without what stands in it under the names of secrets.

    Args:
        words: what a ``__post_init__`` or a validator says.
        value: what it says it about.
        at: JSON pointer to it.
    """
    secrets = set(_secrets(value, any(map(is_secret_key, at.split("/"))))) - {""}
    if not secrets:
        return words
    # A short one is part of many words.
    patterns = [re.escape(one) if len(one) > 3 else rf"(?<!\w){re.escape(one)}(?!\w)" for one in secrets]
    return re.sub("|".join(sorted(patterns, key=len, reverse=True)), HIDDEN, words)


def _secrets(value: Any, is_secret: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, is_secret or is_secret_key(str(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item, is_secret)
    elif is_secret and value is not None:
        yield str.__str__(value) if isinstance(value, str) else str(value)
