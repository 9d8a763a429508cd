"""Generators that others wrote take the sample cloud's document as it is, and their clients make a volume."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def document(cloud: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{cloud}/openapi.json") as reply:
        return json.load(reply)


@pytest.fixture
def file(document: dict[str, Any], tmp_path: Path) -> Path:
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    return tmp_path / "openapi.json"


def run(*words: object, cwd: Path) -> str:
    ended = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout + ended.stderr


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


PYTHON_CLIENT = """
import sys
from made import Client
from made.api.volumes import create_volumes
from made.models import CreateVolumesParams, CreateVolumesReply
reply = create_volumes.sync(client=Client(base_url=sys.argv[1]), body=CreateVolumesParams(size=3))
assert isinstance(reply, CreateVolumesReply), reply
print(reply.data.volume_ids)
"""


def test_openapi_python_client_makes_a_volume(cloud, document, file, tmp_path):
    """And leaves no action out."""
    (tmp_path / "config.yml").write_text("post_hooks: []\npackage_name_override: made\n")
    command = [BIN / "openapi-python-client", "generate", "--path", file, "--config", tmp_path / "config.yml"]
    said = run(*command, "--meta", "none", "--output-path", tmp_path / "made", cwd=tmp_path)
    assert "WARNING" not in said
    modules = {path.stem for path in (tmp_path / "made" / "api").glob("*/*.py")}
    assert {snake(path.strip("/")) for path in document["paths"]} <= modules
    assert "vol-" in run(sys.executable, "-c", PYTHON_CLIENT, cloud, cwd=tmp_path)


OPENAPI_GENERATOR = """
import sys
import made
api = made.VolumesApi(made.ApiClient(made.Configuration(host=sys.argv[1])))
reply = api.create_volumes(made.CreateVolumesParams(size=3)).actual_instance
assert isinstance(reply, made.CreateVolumesReply), reply
print(reply.data.volume_ids)
"""


@pytest.mark.chaos
@pytest.mark.skipif(shutil.which("java") is None, reason="openapi-generator needs Java: apt-get install default-jre")
def test_openapi_generator_makes_a_volume(cloud, document, file, tmp_path):
    """Its Python client; no action is left out."""
    command = [BIN / "openapi-generator-cli", "generate", "-g", "python", "--package-name", "made"]
    run(*command, "-i", file, "-o", tmp_path / "out", cwd=tmp_path)
    text = "".join(path.read_text() for path in (tmp_path / "out" / "made" / "api").glob("*.py"))
    assert all(f"def {snake(path.strip('/'))}(" in text for path in document["paths"])
    assert "vol-" in run(sys.executable, "-c", OPENAPI_GENERATOR, cloud, cwd=tmp_path / "out")


TYPESCRIPT = """
import type { components } from "./api";
const body: components["schemas"]["CreateVolumesParams"] = { size: 3, count: 1, name: "" };
console.log(JSON.stringify(body));
"""


@pytest.mark.chaos
@pytest.mark.skipif(shutil.which("npm") is None, reason="openapi-typescript needs Node: apt-get install npm")
def test_openapi_typescript_makes_a_volume(cloud, document, file, tmp_path):
    """Its types compile with ``tsc --strict``, and what is written by them is a call."""
    run("npm", "install", "--silent", "--no-fund", "openapi-typescript@7", "typescript@5", cwd=tmp_path)
    made = run("npx", "openapi-typescript", file, "-o", tmp_path / "api.d.ts", cwd=tmp_path)
    assert "warning" not in made.lower()
    text = (tmp_path / "api.d.ts").read_text()
    assert all(f'"{path}"' in text for path in document["paths"])
    (tmp_path / "call.ts").write_text(TYPESCRIPT)
    run("npx", "tsc", "--strict", "--skipLibCheck", "false", "--lib", "es2020,dom", "--outDir", ".", "call.ts",
        cwd=tmp_path)
    body = run("node", "call.js", cwd=tmp_path).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{cloud}/CreateVolumes", body)) as reply:
        assert json.load(reply)["data"]["volumeIds"]
