"""Style sheet and scripts, at addresses that change with their bytes, so that browsers keep them for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request, Response

FOLDER = Path(__file__).parent / "static"
TYPES = {"console.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
SCRIPT = "text/javascript; charset=utf-8"
NAMES = ("console.css", "console.js", "htmx.min.js", "icon.svg")


@cache
def read(name: str) -> bytes:
    """Return a file's bytes."""
    return (FOLDER / name).read_bytes()


@cache
def digest(name: str) -> str:
    """Return the part of a file's address that stands for its bytes."""
    return hashlib.sha256(read(name)).hexdigest()[:16]


def serve(request: Request, digest: str, name: str) -> Response:
    """Answer with a file.

    Raises:
        NotFound: there is none of this name.
    """
    if name not in NAMES:
        raise NotFound
    response = Response(read(name), content_type=TYPES.get(name, SCRIPT))
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
