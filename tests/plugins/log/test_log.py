"""Notices in the log: one line each, an error when a job has ended."""

import pytest

from densefog_core.config import Config
from densefog_core.testing import make_app
from densefog_plugins import log
from tests.plugins.receiver import DIGEST, FAILED


@pytest.mark.parametrize("notice", [FAILED, DIGEST])
def test_a_notice_is_one_line(notice, caplog):
    channel = make_app(log).channels.get("log")(Config())
    channel.send(notice)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("densefog.notify", "ERROR")
    assert "\n" not in record.getMessage()
    assert notice.title in record.getMessage()
