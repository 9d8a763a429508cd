"""Identifiers: ``<prefix>`` and random characters that nobody misreads."""

from __future__ import annotations

import random

#: The 57 letters and digits without ``0 1 I O l``.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

#: The project of jobs that belong to no project (contract: the nil UUID in this alphabet).
SYSTEM_PROJECT = "2" * 22

# What `secrets.choice` is; importing `secrets` for it would load OpenSSL.
_choice = random.SystemRandom().choice


def random_chars(count: int) -> str:
    """Return ``count`` random characters of `ALPHABET`, unguessable.

    57 divides no power of two, so bits that would favour the first letters are drawn again.

    Args:
        count: how many characters; 10 of them carry 58 bits.
    """
    return "".join(_choice(ALPHABET) for _ in range(count))


def new_id(prefix: str, count: int = 10) -> str:
    """Return a new identifier, for example ``job-Gf5tQhY2Lk``.

    Args:
        prefix: what the identifier begins with, its dash included.
        count: random characters after the prefix.
    """
    return prefix + random_chars(count)
