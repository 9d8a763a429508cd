"""The request engine: actions, what they are called with, and how a call is dispatched."""

from densefog_core.actions.handlers import ActionRegistry, ActionSpec, action
from densefog_core.actions.records import Call, Reply, Request, RequestEvent, request
from densefog_core.actions.transports import HeaderSource, Page, Transport, TransportFactory

__all__ = [
    "ActionRegistry",
    "ActionSpec",
    "Call",
    "HeaderSource",
    "Page",
    "Reply",
    "Request",
    "RequestEvent",
    "Transport",
    "TransportFactory",
    "action",
    "request",
]
