"""The transport passes the suite that is there for transports of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from densefog_core.testing import TransportConformance
from tests.integration.process import ROOT, environment


def test_it_keeps_what_a_transport_promises():
    suite = Path(__file__).with_name("conforming.py")
    done = subprocess.run(
        [sys.executable, "-m", "gevent.monkey", "--module", "pytest", "-q", "-p", "no:cacheprovider", suite],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    promises = [name for name in vars(TransportConformance) if name.startswith("test_")]
    assert f"{len(promises)} passed" in done.stdout
