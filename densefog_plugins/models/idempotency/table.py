"""The table of replies that may be asked for again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from densefog_plugins.models.base import Own

#: Bytes of a reply: MySQL makes a MEDIUMTEXT of it, others have no limit.
LONGEST = 16_777_215


class ClientToken(Own):
    """What was asked for under a token, and how it was answered; neither can be read out of the hashes.

    Attributes:
        id: hash of the project, the API, the action and the token.
        params_hash: hash of the parameters, keyed with the token.
        reply: ``{"data": ...}`` or ``{"error": ...}``, JSON; empty only within the transaction that carries out the
            call.
        expires: when it is forgotten.
    """

    __tablename__ = "client_token"
    __table_args__ = ({"mysql_charset": "utf8mb4"},)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    params_hash: Mapped[str] = mapped_column(String(64))
    reply: Mapped[str] = mapped_column(Text().with_variant(Text(LONGEST), "mysql", "mariadb"), default="")
    expires: Mapped[datetime] = mapped_column(index=True)
