"""What a page is made with: the visit of one operator, and the templates."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from densefog_core.app import App
from densefog_plugins.console import statics
from densefog_plugins.console.calls import Caller
from densefog_plugins.console.sessions import Attempts, Session, Sessions

#: Text of an error that a table shows.
SHORT = 120
SIGNS = {"error": "✕", "pending": "◷", "running": "▶", "finished": "✓"}
NAVIGATION = (("overview", "", "Overview"), ("jobs", "jobs", "Jobs"), ("actions", "actions", "Actions"),
              ("resources", "resources", "Resources"), ("system", "system", "System"))  # fmt: skip


def jobs_word(count: int, *, capped: bool = False) -> str:
    """Return a number of jobs in words: ``1 job``, ``2 jobs``, ``10,000+ jobs``."""
    return f"{count:,}{'+' if capped else ''} job{'' if count == 1 and not capped else 's'}"


def short(text: str) -> str:
    """Return the first line of a text, cut."""
    line = str(text or "").partition("\n")[0]
    return line if len(line) <= SHORT else f"{line[:SHORT]}…"


def moment(value: str | None) -> Markup:
    """Return a time as ``<time>``; UTC, as the API gives it."""
    if not value:
        return Markup("—")
    shown = value.replace("T", " ").removesuffix("Z")
    return Markup('<time datetime="{}">{}</time>').format(value, shown)


def ago(seconds: float | None) -> str:
    """Return a length of time in words."""
    if seconds is None:
        return "—"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def since(value: str) -> str:
    """Return how long ago a time of the API is, in words."""
    from densefog_core.jobs import utcnow

    return ago(max(0.0, (utcnow() - datetime.fromisoformat(value.removesuffix("Z"))).total_seconds()))


def pretty(value: object) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)


def _environment() -> Environment:
    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "short": short,
        "moment": moment,
        "ago": ago,
        "since": since,
        "pretty": pretty,
        "quote": shlex.quote,
    }
    made.globals |= {"signs": SIGNS, "jobs_word": jobs_word, "navigation": NAVIGATION}
    return made


TEMPLATES = _environment()


class ConsoleSite(Protocol):
    """What a page uses of the console; see `site.Site`."""

    app: App
    manage: str
    sessions: Sessions
    attempts: Attempts
    is_open: bool

    def caller(self, session: Session) -> Caller:
        """Return what calls actions as the operator of a session."""


class Visit:
    """One request of an operator.

    Args:
        site: the console.
        request: the request.
        session: who is signed in.
        name: the page's name, for the navigation.
    """

    def __init__(self, site: ConsoleSite, request: Request, session: Session, name: str = "") -> None:
        self.site, self.request, self.session, self.name = site, request, session, name
        self.base = f"{request.script_root}/console/"
        self.caller = site.caller(session)

    @property
    def is_operator(self) -> bool:
        """Whether the key may change something."""
        state = self.site.app.key_state(self.session.key) if self.session.key else None
        return state is None or state.kind != "reader"

    def url(self, path: str, **query: Any) -> str:  # noqa: ANN401
        """Return the address of a page; what is None or empty is left out."""
        given = {name: value for name, value in query.items() if value not in (None, "", [])}
        return f"{self.base}{path}{'?' if given else ''}{urlencode(given, doseq=True)}"

    def static(self, name: str) -> str:
        """Return the address of a static file."""
        return f"{self.base}static/{statics.digest(name)}/{name}"

    def render(self, template: str, **values: Any) -> str:  # noqa: ANN401
        """Return a template's text."""
        return TEMPLATES.get_template(template).render(visit=self, url=self.url, **values)

    def page(self, template: str, *, code: int = 200, **values: Any) -> Response:  # noqa: ANN401
        """Return a whole page."""
        return Response(self.render(template, **values), code, content_type="text/html; charset=utf-8")

    def live(self, template: str, **values: Any) -> Response:  # noqa: ANN401
        """Return a region that refreshes: 204 when it is what the page has."""
        text = self.render(template, **values)
        seen = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self.request.args.get("seen") == seen:
            return Response(status=204)
        return Response(self.region(text, seen), content_type="text/html; charset=utf-8")

    def region(self, text: str, seen: str | None = None) -> Markup:
        """Return a region with what makes it refresh."""
        seen = seen or hashlib.sha256(text.encode()).hexdigest()[:16]
        query = {**self._query(), "seen": seen}
        where = self.url(f"live/{self.name}", **query)
        # Both texts were made by templates, which escape what they are given.
        made = TEMPLATES.get_template("region.html").render(text=Markup(text), where=where, live=self.is_live)
        return Markup(made)

    def _query(self) -> Mapping[str, Any]:
        return {name: values for name, values in self.request.args.lists() if name not in ("seen", "did", "n", "left")}

    @property
    def is_live(self) -> bool:
        """Whether the page refreshes."""
        return self.request.args.get("live") != "off"

    @property
    def toggle(self) -> str:
        """Address of this page with updates paused, or resumed."""
        query = dict(self._query())
        query["live"] = "off" if self.is_live else None
        return self.url("" if self.name == "overview" else self.name, **query)

    @property
    def csrf(self) -> Markup:
        """The hidden member that each form has."""
        token = self.site.sessions.token(self.session)
        return Markup('<input type="hidden" name="csrf_token" value="{}">').format(token)

    def go(self, path: str, **query: Any) -> Response:  # noqa: ANN401
        """Return the answer that leads to another page after a POST."""
        return redirect(self.url(path, **query), 303)
