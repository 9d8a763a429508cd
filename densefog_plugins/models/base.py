"""The declarative base of densefog's own models, which applications may share."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Base of models whose tables ``densefog db init`` creates.

    An application that has a base and migrations of its own keeps them: `ResourceModel` is a mixin, and every model
    works in `session`.
    """
