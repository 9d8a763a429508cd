"""Sign in with an access key, and sign out."""

from __future__ import annotations

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from densefog_core.actions.records import Request as Call
from densefog_core.context import entered
from densefog_plugins.console.guard import own_page
from densefog_plugins.console.views import Visit


def sign_in(visit: Visit) -> Response:
    """Show the form, or sign in; whatever is wrong, the answer is the same."""
    request, site = visit.request, visit.site
    if site.is_open:
        return visit.go("")
    target = own_page(request.values.get("next"), visit.base)
    if request.method == "GET":
        return visit.page("login.html", target=target, wrong="")
    address = request.remote_addr or ""
    if site.attempts.is_blocked(address):
        wrong = "Too many wrong attempts. Wait a minute."
        return visit.page("login.html", code=429, target=target, wrong=wrong)
    key = request.form.get("key", "").strip()
    fingerprint = _fingerprint(visit, key, request.form.get("secret", "").strip())
    if fingerprint is None:
        site.attempts.add(address)
        wrong = "The access key or its secret is wrong."
        return visit.page("login.html", code=403, target=target, wrong=wrong)
    from werkzeug.utils import redirect

    response = redirect(target, 303)
    site.sessions.write(site.sessions.new(key, fingerprint), request, response)
    return response


def _fingerprint(visit: Visit, key: str, secret: str) -> str | None:
    """Return the fingerprint of a key whose secret is right, by the same code that lets calls in."""
    app = visit.site.app
    authenticate = getattr(app, "authenticator", lambda: None)()
    if authenticate is None:
        raise NotFound
    config = app.config
    headers = {config.projects_key_header: key, config.projects_secret_header: secret}
    call = Call(visit.site.manage, "", {}, headers=headers, remote_addr=visit.request.remote_addr)
    with entered(call):
        try:
            authenticate(call)
        except Exception:  # noqa: BLE001 - every refusal has the same answer
            return None
        state = app.key_state(key)
    return None if state is None else state.fingerprint


def sign_out(visit: Visit) -> Response:
    """End the session."""
    response = visit.go("login")
    visit.site.sessions.forget(visit.request, response)
    return response
