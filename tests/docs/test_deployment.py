"""The pages on deployment: their files are taken as they are, by the programs that they are for."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import shutil
import signal
import ssl
import subprocess
import threading
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from densefog_core.config import Config
from densefog_core.testing import make_app
from densefog_plugins import metrics
from tests.docs.pages import DOCS, Reader, blocks, free_port
from tests.integration.process import eventually

PAGES = DOCS / "how-to"


def files(page: str) -> dict[str, str]:
    """Return the files of a page."""
    return {block.caption: block.text for block in blocks(PAGES / page) if block.caption}


def program(name: str, package: str) -> str:
    """Return where a program is; skips the test when it is not installed."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"{name} is not there: apt-get install {package}")
    return found


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path, DENSEFOG_DISABLE_PLUGINS="stratus")
    yield reader
    reader.close()


def test_the_settings_of_the_deployment_are_settings(tmp_path):
    text = files("deploy.md")["/var/lib/acme/densefog.toml"]
    found, settings = tomllib.loads(text), make_app(metrics).config.settings
    options = {f"{plugin}_{name}" for plugin, table in found.pop("plugins").items() for name in table}
    assert found.keys() | options <= settings.keys()
    (tmp_path / "densefog.toml").write_text(text)
    assert Config().load_file(tmp_path / "densefog.toml").drain_delay == 5


def test_systemd_takes_the_units(tmp_path):
    analyze = program("systemd-analyze", "systemd")
    units = [name for name in files("deploy.md") if name.endswith(".service")]
    assert len(units) == 2
    for name in units:
        text = files("deploy.md")[name]
        assert "/opt/acme/venv/bin/densefog-serve" in text
        unit = tmp_path / Path(name).name
        # Neither the program nor the user of the page is on this machine.
        for theirs, ours in (("/opt/acme/venv/bin/densefog-serve", "/bin/true"), ("User=acme", "User=root")):
            text = text.replace(theirs, ours)
        unit.write_text(text)
        done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
        about = [line for line in done.stderr.splitlines() if unit.name in line]
        assert about == []


@pytest.fixture
def proxied(reader: Reader, tmp_path: Path) -> Iterator[str]:
    """An API behind nginx as the page sets it up; the address of nginx."""
    nginx, openssl = program("nginx", "nginx"), program("openssl", "openssl")
    settings = tomllib.loads(files("deploy.md")["/var/lib/acme/densefog.toml"])
    (tmp_path / "densefog.toml").write_text(f"trusted_proxies = {json.dumps(settings['trusted_proxies'])}\n")
    reader.serve("densefog-serve api")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=api.acme.example", "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    site = files("deploy.md")["/etc/nginx/conf.d/acme.conf"]
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{reader.port}").replace("443 ssl", f"127.0.0.1:{port} ssl")
    (tmp_path / "site.conf").write_text(site.replace("/etc/ssl/acme/", f"{tmp_path}/"))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {paths} include {tmp_path}/site.conf; }}\n"
    )
    tmp_path.chmod(0o755)
    with (tmp_path / "nginx.log").open("wb") as log:
        process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", "nginx.conf"], stdout=log, stderr=log)
    try:
        eventually(lambda: process.poll() is not None or answers(f"https://127.0.0.1:{port}/"))
        assert process.poll() is None, (tmp_path / "nginx.log").read_text()
        yield f"https://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def trusting() -> ssl.SSLContext:
    """Trust a certificate of our own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def ask(address: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Send a request, and return the answer's status and body."""
    request = urllib.request.Request(address, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20, context=trusting()) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def answers(address: str) -> bool:
    try:
        return ask(address)[0] == 200
    except OSError:
        return False


def test_nginx_takes_its_file_and_passes_calls_on(proxied, reader):
    status, body = ask(proxied, b'{"action": "DescribeActions"}', **{"X-Request-Id": "made-up-by-the-client"})
    assert (status, json.loads(body)["retCode"]) == (200, 0)
    # The id is nginx's, and so is the client's address.
    line = re.search(r"\[(\w+)\] (\S+) - DescribeActions 0", reader.log())
    assert line and len(line[1]) == 32 and line[2] == "127.0.0.1"

    assert [ask(proxied + path)[0] for path in ("metrics", "readyz")] == [404, 404]
    assert ask(proxied, b"x" * (1024 * 1024 + 1))[0] == 413


def test_no_call_through_nginx_is_lost_by_restarts(proxied, reader):
    """2,000 calls during three restarts are all answered with the envelope."""
    calls, answered = itertools.count(), Counter()

    def call() -> None:
        client = http.client.HTTPSConnection(urlsplit(proxied).netloc, context=trusting(), timeout=20)
        while next(calls) < 2000:
            client.request("POST", "/", b'{"action": "DescribeActions"}')
            with client.getresponse() as answer:
                body = answer.read()
            answered[answer.status, json.loads(body)["retCode"] if body.startswith(b"{") else body] += 1
        client.close()

    clients = [threading.Thread(target=call) for _ in range(4)]
    for client in clients:
        client.start()
    for restarts in range(1, 4):
        reader.signal(signal.SIGHUP)
        eventually(lambda ended=restarts: reader.log().count("] stopped") == ended, "the end of the old process")
    for client in clients:
        client.join()
    assert set(answered) == {(200, 0)}


def test_mariadb_as_the_page_sets_it_up(mariadb, tmp_path):
    """The statements, by the server's administrator; then the commands, by the two users that these have made."""
    made = files("mariadb.md")
    statements = [one.strip() for one in made["acme.sql"].split(";") if one.strip()]
    for statement in statements:
        mariadb.execute(statement.replace("%", "%%"))
    reader = Reader(tmp_path, DENSEFOG_DISABLE_PLUGINS="stratus")
    try:
        for block in blocks(PAGES / "mariadb.md"):
            if block.language == "console":
                reader.console(block.text.replace("DB_PORT=3306", f"DB_PORT={mariadb.port}"))
        mariadb.execute("DROP INDEX ix_job_claim ON acme.job", made["index.sql"].strip())
    finally:
        reader.close()
        mariadb.execute("DROP DATABASE acme", "DROP USER acme", "DROP USER acme_admin")
