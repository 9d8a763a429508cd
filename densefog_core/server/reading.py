"""Who may read the pages that stand beside the actions, such as ``/openapi.json`` and ``/metrics``."""

from __future__ import annotations

from typing import Protocol

from densefog_core.actions.dispatching import Dispatcher
from densefog_core.actions.records import Call, Request
from densefog_core.actions.transports import Page
from densefog_core.app import App
from densefog_core.context import entered
from densefog_core.errors import http_status
from densefog_core.errors.iaas_error import ResourceNotBelongsToProject
from densefog_core.errors.project_error import BaseAccessKeyException
from densefog_core.hosts import is_loopback

JSON = "application/json; charset=utf-8"
#: Headers of proxies: whoever sends one is not the client at the other end of the connection.
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


class Asked(Protocol):
    """What is asked of an API."""

    @property
    def app(self) -> App:
        """The application it belongs to."""

    @property
    def dispatcher(self) -> Dispatcher:
        """What answers its calls."""


def read_page(api: Asked, path: str, call: Call) -> Page | None:
    """Answer GET at an address that is no action's; None when nothing is there.

    Args:
        api: the API that is asked.
        path: the address.
        call: the request, without a body.
    """
    page, setting = api.app.pages.get(path), api.app.readers.get(path)
    if page is None or setting is None:
        return None if page is None else page(api)
    outside = api.app.outside.get(path)
    request = api.dispatcher.request_of(call)
    request.path = request.path if call.path is not None else path
    with entered(request):
        try:
            _check_reader(api, request, getattr(api.app.config, setting), only_local=outside is not None)
        except Exception as exc:  # noqa: BLE001 - every failure has its answer in the error table
            return _refused(api, request, exc) if outside is None else outside(api)
    return page(api)


def _check_reader(api: Asked, request: Request, readers: str, *, only_local: bool) -> None:
    """Raise unless the client may read; where nothing authenticates, all may, or with ``only_local`` this machine."""
    authenticate = api.app.authenticator()
    if readers == "anyone":
        return
    if authenticate is not None:
        authenticate(request)
        allowed = readers == "key" or request.project_id is None
    else:
        allowed = not only_local or _is_local(request)
    if not allowed:
        raise ResourceNotBelongsToProject(request.path)


def _is_local(request: Request) -> bool:
    return is_loopback(request.remote_addr or "") and not any(name in request.headers for name in FORWARDED)


def _refused(api: Asked, request: Request, error: Exception) -> Page:
    reply = api.dispatcher.failed(request, None, error)
    status = 401 if isinstance(error, BaseAccessKeyException) else http_status(reply.ret_code)
    return Page(reply.text, JSON, status)
