"""The suite for transports on ``wsgi``, in a cooperative process of its own; see ``test_conformance``."""

from __future__ import annotations

from densefog_core.testing import TransportConformance, make_app
from densefog_plugins import wsgi


class TestWSGI(TransportConformance):
    def make_api(self, actions):
        return make_app(wsgi, actions=actions, transport="wsgi").api()
