"""What operators can ask for, on an API of its own: ``densefog-serve api --api manage --port 8081``."""

from densefog_core import action
from densefog_plugins.models import session
from sqlalchemy import select

from stratus.models import Instance, Volume
from stratus.provider import provider

KINDS = {"volume": Volume, "instance": Instance}


@action(api="manage")
def describe_strays() -> dict:
    """List what the provider holds and no row knows, by kind."""
    strays = {}
    for kind, model in KINDS.items():
        known = set(session.scalars(select(model.id).where(model.status != "deleted")))
        strays[kind] = [thing_id for thing_id in provider().list(kind) if thing_id not in known]
    return {"strays": strays}
