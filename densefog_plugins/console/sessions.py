"""Who is signed in: a signed cookie, and a token in each form that only our own pages have."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Request, Response

#: Seconds after which a session ends, whatever is done in it.
LIFETIME = 12 * 3600
COOKIE = "densefog_console"
#: Wrong sign-ins of an address in a minute, and addresses that are remembered.
ATTEMPTS, ADDRESSES = 10, 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """An operator who is signed in.

    Attributes:
        key: id of the access key; empty where nothing authenticates.
        nonce: random, of this session alone.
        fingerprint: changes when the key's secret does.
    """

    key: str
    nonce: str
    fingerprint: str = ""


class Sessions:
    """Makes and reads sessions.

    Args:
        secret: signs them.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._serializer = URLSafeTimedSerializer(secret, salt="densefog console session")

    def new(self, key: str, fingerprint: str) -> Session:
        """Return the session of an operator who has just signed in."""
        return Session(key, secrets.token_urlsafe(16), fingerprint)

    def write(self, session: Session, request: Request, response: Response) -> None:
        """Put a session into a response's cookie."""
        value = self._serializer.dumps([session.key, session.nonce, session.fingerprint])
        secure = request.is_secure
        response.set_cookie(
            _cookie(request),
            value,
            max_age=LIFETIME,
            path="/" if secure else f"{request.script_root}/console",
            secure=secure,
            httponly=True,
            samesite="Lax",
        )

    def forget(self, request: Request, response: Response) -> None:
        """Delete the cookie."""
        path = "/" if request.is_secure else f"{request.script_root}/console"
        response.delete_cookie(_cookie(request), path=path, secure=request.is_secure, httponly=True, samesite="Lax")

    def read(self, request: Request) -> Session | None:
        """Return the session of a request's cookie, or None."""
        try:
            key, nonce, fingerprint = self._serializer.loads(
                request.cookies.get(_cookie(request), ""), max_age=LIFETIME
            )
        except (BadData, ValueError, TypeError):
            return None
        return Session(key, nonce, fingerprint)

    def token(self, session: Session) -> str:
        """Return a token for a form: another one each time, since pages are compressed (BREACH)."""
        salt = secrets.token_urlsafe(8)
        return f"{salt}.{self._mac(session, salt)}"

    def is_token(self, session: Session, token: str) -> bool:
        """Return whether a form was made by a page of this session."""
        salt, _, mac = token.partition(".")
        return hmac.compare_digest(mac.encode(), self._mac(session, salt).encode())

    def _mac(self, session: Session, salt: str) -> str:
        return hmac.new(self._secret, f"{session.nonce}\0{salt}".encode(), hashlib.sha256).hexdigest()


def _cookie(request: Request) -> str:
    # The prefix makes browsers refuse a cookie that another host of the domain has set (RFC 6265bis).
    return f"__Host-{COOKIE}" if request.is_secure else COOKIE


class Attempts:
    """Counts wrong sign-ins by address."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def is_blocked(self, address: str) -> bool:
        """Return whether an address has failed too often in the last minute."""
        times = self._wrong.get(address)
        while times and times[0] < time.monotonic() - 60:
            times.popleft()
        return times is not None and len(times) >= ATTEMPTS

    def add(self, address: str) -> None:
        """Count a wrong sign-in."""
        self._wrong.setdefault(address, deque(maxlen=ATTEMPTS)).append(time.monotonic())
        self._wrong.move_to_end(address)
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
