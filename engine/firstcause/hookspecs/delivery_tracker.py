"""Tracks which receivers have a message, for notifiers with several receivers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstcause.core.notification import Notification

_MAX_NOTIFICATIONS = 1000


class DeliveryTracker:
    """Remembers which receivers have a message, so that a retry reaches only the others.

    In memory, for the latest 1000 messages. Thread-safe. What an earlier DeliveryError named as `receipts` is
    known after a restart too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest_receipts: OrderedDict[str, dict[str, str]] = OrderedDict()

    def receipts_for(self, notification: Notification) -> dict[str, str]:
        """Return receiver -> reference, for those that have the message. The notifier adds to it."""
        with self._lock:
            receipts = self._latest_receipts.setdefault(notification.id, {})
            receipts.update(
                {
                    receiver: reference
                    for receiver, reference in notification.receipts.items()
                    if receiver not in receipts
                }
            )
            self._latest_receipts.move_to_end(notification.id)
            while len(self._latest_receipts) > _MAX_NOTIFICATIONS:
                self._latest_receipts.popitem(last=False)
            return receipts
