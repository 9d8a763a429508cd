"""The servers that `tests.bench.requests` compares, each in a process of its own.

Every one answers ``POST /`` with ``{"action": "DescribeVolumes", "limit": 20, "volumeIds": [...]}`` by the same three
volumes in the same envelope. densefog does all that it promises on the way: typed parameters, context id, access line
to a file, redaction, strict JSON. The others do what their quick start shows, and write no access line::

    python -m tests.bench.servers bare 9000
"""

import json
import sys
import tempfile
from typing import Annotated, Any

VOLUMES = [{"volumeId": f"vol-{n:010}", "size": 10 * n, "status": "available", "name": f"disk {n}"} for n in range(3)]


def page(limit: int, wanted: list[str]) -> dict[str, Any]:
    return {"limit": limit, "offset": 0, "total": 3, "volumeSet": [one for one in VOLUMES if one["volumeId"] in wanted]}


def envelope(data: Any) -> dict[str, Any]:
    return {"data": data, "retCode": 0, "message": None}


def densefog(port: int) -> None:
    from gevent import monkey

    monkey.patch_all()
    from msgspec import Meta, Struct

    from densefog_core import config, server

    class DescribeVolumes(Struct):
        volume_ids: Annotated[list[str], Meta(max_length=100)]
        limit: Annotated[int, Meta(ge=1, le=100)] = 20

    def describe_volumes(params: DescribeVolumes) -> dict[str, Any]:
        return page(params.limit, params.volume_ids)

    with tempfile.TemporaryDirectory() as folder:
        config.setup().apply(app_root=folder, log_dir=folder, gevent=True)
        server.create_api("bench").route({"DescribeVolumes": describe_volumes}).start(port=port)


def serve_pywsgi(port: int, app: Any) -> None:
    """Serve on gevent.pywsgi, repaired: no Nagle, headers and body in one send."""
    from gevent import pywsgi

    class Handler(pywsgi.WSGIHandler):
        def finalize_headers(self) -> None:
            super().finalize_headers()
            self.socket.setsockopt(6, 1, 1)

        def _write_with_headers(self, data: bytes) -> None:
            self.headers_sent = True
            self.finalize_headers()
            self.response_headers = list(self.response_headers)
            lines = [f"HTTP/1.1 {self.status.decode() if isinstance(self.status, bytes) else self.status}\r\n".encode()]
            lines += [b"%s: %s\r\n" % (_bytes(name), _bytes(value)) for name, value in self.response_headers]
            self._sendall(b"".join([*lines, b"\r\n", data]))

    pywsgi.WSGIServer(("127.0.0.1", port), app, handler_class=Handler, log=None).serve_forever()


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def bare(port: int) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        params = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = json.dumps(envelope(page(params["limit"], params["volumeIds"]))).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    serve_pywsgi(port, app)


def flask(port: int) -> None:
    from flask import Flask, jsonify, request

    app = Flask("bench")

    @app.post("/")
    def action() -> Any:
        params = request.get_json()
        return jsonify(envelope(page(params["limit"], params["volumeIds"])))

    serve_pywsgi(port, app)


def falcon(port: int) -> None:
    import falcon

    class Action:
        def on_post(self, req: Any, resp: Any) -> None:
            params = req.media
            resp.media = envelope(page(params["limit"], params["volumeIds"]))

    app = falcon.App()
    app.add_route("/", Action())
    serve_pywsgi(port, app)


def fastapi(port: int) -> None:
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel, Field

    class Params(BaseModel):
        action: str
        volumeIds: list[str] = Field(max_length=100)
        limit: int = Field(20, ge=1, le=100)

    app = FastAPI()

    @app.post("/")
    async def action(params: Params) -> Any:
        return envelope(page(params.limit, params.volumeIds))

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


SERVERS = {"densefog": densefog, "bare": bare, "flask": flask, "falcon": falcon, "fastapi": fastapi}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
