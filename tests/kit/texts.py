"""Everything of densefog that works on others' text, as functions of one text."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any

from msgspec import Meta, Struct


class Inner(Struct):
    """An item of what a request holds."""

    a: Annotated[str, Meta(max_length=9)]


class Outer(Struct):
    """What a request holds."""

    rows: list[Inner] = []
    a: int = 0


def subjects() -> dict[str, Callable[[str], object]]:
    """Return the functions by name; `tests.kit.linear` counts their steps."""
    return {**_texts(), **_requests(), **_notices(), **_http()}


def _texts() -> dict[str, Callable[[str], object]]:
    from densefog_core import jsontext, printable, redact
    from densefog_core.cli.tables import cell
    from densefog_core.context import context_id_for
    from densefog_core.jobs import causes, ends
    from densefog_core.redact.declared import hide_declared
    from densefog_plugins.models.jobstore.table import storable_error, without_claim_name

    return {
        "redact_text": redact.redact_text,
        "redact": lambda text: redact.redact({text[:500]: {"name": text, "value": 1}}),
        "is_secret_key": redact.is_secret_key,
        "hide_declared": hide_declared,
        "jsontext.loads": lambda text: jsontext.loads(text, jsontext.Limits(100, 100)),
        "jsontext.loads object": lambda text: jsontext.loads("{" + ",".join([f'"{text[:9]}":1'] * len(text)) + "}"),
        "one_line": printable.one_line,
        "in_json": printable.in_json,
        "stream": printable._PrintableStream(SimpleNamespace(write=len)).write,  # type: ignore[arg-type]
        "cell": cell,
        "context_id_for": context_id_for,
        "cause_text": causes.cause_text,
        "end_of": ends.end_of,
        "is_lost_try": lambda text: ends.is_lost_try(text, "(try 1 of 1)"),
        "without_claim_name": without_claim_name,
        "storable_error": storable_error,
    }


def _requests() -> dict[str, Callable[[str], object]]:
    from densefog_core.actions import Request, params
    from densefog_core.actions.params.leaves import largest
    from densefog_core.actions.params.problems import without_secrets
    from densefog_core.hosts import Hosts
    from densefog_plugins.manage.filters import read_token
    from densefog_plugins.models.lists import _read_token
    from densefog_plugins.models.projects.authentication import _keyid
    from densefog_plugins.models.projects.keys import _is_id
    from densefog_plugins.models.projects.proofs import public_half
    from densefog_plugins.wsgi.clients import Proxies, address_of

    convert: Any = params.converter(Outer, "action 'Test'")
    hosts = Hosts(["example.com"])
    proxies = Proxies(["10.0.0.0/8"])

    return {
        "typed parameters": lambda text: convert({"action": "Test", "a": text, "rows": [{"a": c} for c in text] + [1]}),
        "without_secrets": lambda text: without_secrets(text[:500], {"password": list(text)}),
        "largest": lambda text: largest({"a": list(text)}, 50),
        "Hosts.refusal": lambda text: hosts.refusal(text, f"https://{text}"),
        "address_of": address_of,
        "Proxies.client": lambda text: proxies.client({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": text}),
        "Request": lambda text: Request("public", "Act", {}, headers={"X": text}),
        "token of a list": lambda text: _read_token(text, ("created", "id"), True),
        "token of a search": read_token,
        "keyid": _keyid,
        "id of a project": _is_id,
        "public_half": public_half,
    }


def _notices() -> dict[str, Callable[[str], object]]:
    from densefog_core import notify, notify_queue
    from densefog_core.notices import outbound
    from densefog_core.notices.records import DeliveryError
    from densefog_plugins.apprise.channel import _refused
    from densefog_plugins.slack.channel import _code, escape, fit

    return {
        "kind of a failure": lambda text: notify._failure(text, None),
        "reason": lambda text: notify_queue.reason(DeliveryError(text), ()),
        "Retry-After": outbound._seconds,
        "refusal of apprise": _refused,
        "slack": lambda text: _code(fit(escape(text), 3000)),
    }


def _http() -> dict[str, Callable[[str], object]]:
    from densefog_plugins.cors.policy import _header_names
    from densefog_plugins.wsgi.body import read_chunked
    from densefog_plugins.wsgi.http1 import check_unfinished, parse_head
    from densefog_plugins.wsgi.limits import Limits
    from densefog_plugins.wsgi.replies import field_name, status_code

    class Sent:
        def __init__(self, data: bytes) -> None:
            self.buffer = data

        def fill(self) -> None:
            raise EOFError

    limits, line = Limits(), b"POST / HTTP/1.1\r\nHost: "

    def bytes_of(text: str) -> bytes:
        return text.encode("utf-8", "replace")

    return {
        "head": lambda text: parse_head(line + b"a\r\nX: " + bytes_of(text) + b"\r\n\r\n", {}, limits),
        "host": lambda text: parse_head(line + bytes_of(text) + b"\r\n\r\n", {}, limits),
        "request line": lambda text: parse_head(bytes_of(text) + b"\r\n\r\n", {}, limits),
        "unfinished head": lambda text: check_unfinished(bytes_of(text), 0),
        "chunks": lambda text: read_chunked(Sent(bytes_of(text)), limits),
        "chunk extension": lambda text: read_chunked(Sent(b"1;" + bytes_of(text) + b"\r\n"), limits),
        "trailers": lambda text: read_chunked(Sent(b"0\r\n" + bytes_of(text) + b"\r\n\r\n"), limits),
        "name of a header": field_name,
        "status": status_code,
        "names of headers": _header_names,
    }
