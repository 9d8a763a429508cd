"""The console as a WSGI application below ``/console`` of an API."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from densefog_core.app import App
from densefog_core.context import context_id_for
from densefog_core.server import Api
from densefog_plugins.console import statics
from densefog_plugins.console.calls import Caller, Refused
from densefog_plugins.console.guard import HEADERS, is_local, is_own_form
from densefog_plugins.console.pages import ROUTES
from densefog_plugins.console.sessions import Attempts, Session, Sessions
from densefog_plugins.console.views import Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Bytes of a form.
MAX_FORM = 1_000_000
#: Pages that are shown to those who are not signed in.
OUTSIDE = frozenset({"login", "static"})

_logger = logging.getLogger("densefog.console")


def mount(app: App, *, secret: str, is_open: bool) -> Callable[[Api], WSGIApplication | None]:
    """Return what makes the console of an API, or None for an API that serves none.

    Args:
        app: the application.
        secret: signs sessions.
        is_open: nothing authenticates, and whoever is on this machine may use it.
    """
    manage = list(getattr(app.config, "projects_manage_apis", ["manage"]))
    sessions, attempts = Sessions(secret), Attempts()

    def make(api: Api) -> WSGIApplication | None:
        if not is_open and api.name not in manage:
            return None
        return Site(app, api.name if api.name in manage else manage[0], sessions, attempts, is_open=is_open)

    return make


class Site:
    """The WSGI callable.

    Args:
        app: the application.
        manage: name of the API whose actions it calls.
        sessions: who is signed in.
        attempts: wrong sign-ins.
        is_open: see `mount`.
    """

    def __init__(self, app: App, manage: str, sessions: Sessions, attempts: Attempts, *, is_open: bool) -> None:
        self.app, self.manage, self.sessions, self.attempts, self.is_open = app, manage, sessions, attempts, is_open
        rules = [
            Rule(f"/console{path}", endpoint=(view, name), methods=methods, merge_slashes=False)
            for path, methods, view, name in ROUTES
        ]
        self._map = Map([*rules, Rule("/console/static/<digest>/<name>", endpoint=(statics.serve, "static"))])
        self._nobody = Session("", "nobody")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = MAX_FORM
        request.max_form_memory_size = MAX_FORM
        response = self._answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        _compress(request, response)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        visit = Visit(self, request, self._nobody)
        try:
            return self._page(request)
        except RequestRedirect as exc:
            return redirect(exc.new_url, 308)
        except (NotFound, MethodNotAllowed):
            return visit.page("notfound.html", code=404)
        except HTTPException as exc:
            return visit.page("refused.html", code=exc.code or 400, why=exc.description or exc.name)
        except Refused as exc:
            return visit.page("refused.html", code=502, why=str(exc))
        except Exception:
            context_id = context_id_for(None)
            _logger.exception("the console failed at %s (%s)", request.path, context_id)
            return visit.page("broken.html", code=500, context_id=context_id)

    def _page(self, request: Request) -> Response:
        if self.is_open and not is_local(request):
            return _refuse("the console is open to this machine alone: call it as localhost")
        adapter = self._map.bind_to_environ(request.environ)
        (view, name), values = adapter.match()
        if name == "static":
            return statics.serve(request, **values)
        session = self._session(request)
        if request.method == "POST":
            if not is_own_form(request):
                return _refuse("the form was sent by another site's page")
            if name != "login" and session is not None and not self._has_token(request, session):
                return _refuse("the form is not of this session; go back, load the page again, and send it again")
        if session is None and name not in OUTSIDE:
            return self._to_login(request)
        visit = Visit(self, request, session or self._nobody, name)
        made: Response = view(visit, **values)
        return made

    def _has_token(self, request: Request, session: Session) -> bool:
        return self.sessions.is_token(session, request.form.get("csrf_token", ""))

    def _session(self, request: Request) -> Session | None:
        if self.is_open:
            return self.sessions.read(request) or Session("", "open")
        session = self.sessions.read(request)
        if session is None or not session.key:
            return None
        known = self.app.key_state(session.key)
        return session if known is not None and known.fingerprint == session.fingerprint else None

    def _to_login(self, request: Request) -> Response:
        where = f"{request.script_root}/console/login"
        if request.headers.get("HX-Request"):
            return Response(status=401, headers={"HX-Redirect": where})
        wanted = request.full_path.rstrip("?") if request.method == "GET" else "/console/"
        from urllib.parse import urlencode

        return redirect(f"{where}?{urlencode({'next': request.script_root + wanted})}", 303)

    def caller(self, session: Session) -> Caller:
        """Return what calls actions as the operator of a session."""
        return Caller(self.app, self.manage, session.key or None)


def _refuse(why: str) -> Response:
    return Response(f"{why}\n", 403, content_type="text/plain; charset=utf-8")


def _compress(request: Request, response: Response) -> None:
    """Compress a page; static files too, which are compressed once a start of the process would be worth little."""
    if response.is_streamed or response.status_code in (204, 304) or not request.accept_encodings["gzip"]:
        return
    data = response.get_data()
    if len(data) > 1_000:
        response.set_data(gzip.compress(data, 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
