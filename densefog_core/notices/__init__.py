"""What the author of a notify channel implements, and sends with."""

from densefog_core.notices.records import Channel, Count, DeliveryError, Notification

__all__ = ["Channel", "Count", "DeliveryError", "Notification"]
