"""Plugin ``idempotency``: a client that has had no answer may send a call again without doing twice what it asks for.

An action that is marked with ``idempotent=True`` takes a ``clientToken`` that the client makes up, one for each thing
it wants. The first call with it is carried out; the same call again gets the same reply, for 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl
from densefog_core.actions.handlers import ActionSpec
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_core.app import App


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare how long replies are kept."""
    name, text = "idempotency_retention", "Seconds for which a clientToken gets its first reply again."
    config.declare(Setting(name=name, plugin="idempotency", type=int, default=86_400, minimum=1, help=text))


@hookimpl
def densefog_startup(app: App) -> None:
    """Put the memory around the actions that ask for it."""

    def wrap(spec: ActionSpec) -> ActionSpec:
        if not spec.idempotent:
            return spec
        from densefog_plugins.models.idempotency.memory import remembered

        return remembered(app, spec)

    # The innermost: what others do with a call, they do with each time that it is sent.
    app.action_wrappers.insert(0, wrap)
    if any(spec.idempotent for _, spec in app.actions.items()):
        from densefog_plugins.models.idempotency.table import ClientToken
        from densefog_plugins.models.schema import use_tables

        use_tables(app, ClientToken)


@hookimpl
def densefog_tables() -> Iterable[Any]:
    """Return the table of replies."""
    from densefog_plugins.models.idempotency.table import ClientToken

    return [ClientToken.__table__]
