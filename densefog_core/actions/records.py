"""What passes through the request engine: the call, the request that handlers see, the reply, and the event of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from densefog_core.context import Proxy, Scope, new_context_id
from densefog_core.redact import secrets_in


class Request(Scope):
    """One call of an action, as handlers and middleware see it.

    Middleware may set more attributes; ``project_id`` and ``access_key`` are the ones that densefog's own
    plugins agree on.

    Attributes:
        api: name of the API that serves the call, for example ``public``.
        action: the action's name.
        params: the whole body, ``action`` included.
        context_id: the id that log lines and ``X-Request-Id`` carry.
        headers: the HTTP headers; names compare without case where the transport is HTTP.
        remote_addr: the client's address, or None.
        project_id: the project on whose behalf the action runs, or None.
        access_key: id of the access key that authenticated the call, or None.
        key_kind: the kind of that key, ``project``, ``manage`` or ``reader``; None where nobody looked at it.
        claimed_key: id of the access key that the call names, whether or not it is the caller's.
        method: the HTTP method.
        host: the name, with its port, under which the client reached the API; empty when it is not known.
        path: what the client called there: below a mount point or a proxy's prefix, that comes first.
        body: the request's body as it came.
        error: what ended the call, or None.
        dry_run: whether the call is only planned; what it does is undone.
        read_only: whether a handler runs that declares that it only reads.
        operation_id: id of the operation that records the call, or None.
    """

    access_key: str | None = None
    key_kind: str | None = None
    claimed_key: str = ""
    method: str = "POST"
    host: str = ""
    path: str = "/"
    body: bytes = b""
    error: BaseException | None = None
    dry_run: bool = False
    read_only: bool = False
    operation_id: str | None = None
    _named: Collection[str] | None = None

    def __init__(
        self,
        api: str,
        action: str,
        params: dict[str, Any],
        *,
        context_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        remote_addr: str | None = None,
    ) -> None:
        self.api = api
        self.action = action
        self.params = params
        self.context_id = context_id or new_context_id()
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.remote_addr = remote_addr

    def named_secrets(self) -> Collection[str]:
        """Return the values in its parameters and headers that only their names tell to be secrets."""
        if self._named is None:
            # What looks for them redacts, and asks again.
            self._named = ()
            headers = list(secrets_in(dict(self.headers)))
            # Behind the name of a scheme: `Bearer x`.
            self._named = {*secrets_in(self.params), *headers, *(value.rpartition(" ")[2] for value in headers)}
        return self._named


if TYPE_CHECKING:
    request: Request
else:
    request = Proxy(Request, "request")


@dataclass(slots=True)
class Reply:
    """The answer to one call.

    Attributes:
        text: the envelope as JSON.
        ret_code: 0, or the error's number.
        context_id: to be sent back as ``X-Request-Id``.
        headers: more headers, such as those that announce the end of a deprecated action.
    """

    text: str
    ret_code: int
    context_id: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Call:
    """What a transport hands over.

    Attributes:
        body: the request's body.
        headers: its headers.
        remote_addr: the client's address, proxies that are trusted looked through.
        action: the action when the address names it instead of the body.
        pretty: indent the reply.
        request_id: the id that the client gave the call in ``X-Request-Id``.
        method: the HTTP method.
        host: name and port of the address that the client called.
        path: its path; None is ``/``, or ``/`` and the action.
    """

    body: bytes
    headers: Mapping[str, str]
    remote_addr: str | None = None
    action: str | None = None
    pretty: bool = False
    request_id: str | None = None
    method: str = "POST"
    host: str = ""
    path: str | None = None


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """A call was answered; what ``densefog_request_event`` observers are given.

    Attributes:
        request: the call.
        action: the action's name, or None when the API has no such action: what clients make up is not in here.
        ret_code: how it was answered.
        seconds: how long it took.
        size: bytes of the reply.
    """

    request: Request
    action: str | None
    ret_code: int
    seconds: float
    size: int
