"""What every ``Describe*`` action takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

#: Ids that one call may name.
Ids = Annotated[list[str], Meta(max_length=100)]


class ListParams(Struct, kw_only=True):
    """Which page of a list; subclass it to add the ids, for example ``volume_ids: Ids | None = None``.

    Attributes:
        status: one of these; without it deleted resources are left out, unless ids are given.
        search_word: a part of the name or of what else the resource's class says, whatever the case.
        created_from: not older than this.
        created_to: not newer than this.
        limit: rows of a page.
        offset: rows before the page.
        reverse: newest first.
        next_token: the ``nextToken`` of the page before; then ``offset`` does not count, and no total is counted.
        verbose: with what belongs to the resources, if the action has such a thing.
    """

    status: Annotated[list[str], Meta(max_length=20)] | None = None
    search_word: Annotated[str, Meta(max_length=100)] | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    reverse: bool = True
    next_token: Annotated[str, Meta(max_length=200)] | None = None
    verbose: bool = False
