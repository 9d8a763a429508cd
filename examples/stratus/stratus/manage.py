"""What operators can ask for, on an API of its own: ``densefog-serve api --api manage --port 8081``."""

from __future__ import annotations

from sqlalchemy import select

from densefog_core import action
from densefog_plugins.models import session
from stratus.models import Instance, Volume
from stratus.provider import provider


@action(api="manage", effect="read", tags=("strays",))
def describe_strays() -> dict[str, dict[str, list[str]]]:
    """List what the provider holds and no row knows, by kind."""
    # The provider first: whatever it holds by then was committed as a row before.
    held = {"volume": provider().ids("volume"), "instance": provider().ids("instance")}
    rows = select(Volume.id).where(Volume.status != "deleted"), select(Instance.id).where(Instance.status != "deleted")
    known = {one for query in rows for one in session.scalars(query)}
    return {"strays": {kind: [one for one in ids if one not in known] for kind, ids in held.items()}}
