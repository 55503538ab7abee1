"""Which of a message's receivers have it: for notifiers that tell several."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstcause.core.model import Notification

_MAX_NOTIFICATIONS = 1000


class DeliveryTracker:
    """Remembers who of a message's receivers has it, so that trying again tells only the others.

    In memory, of the latest 1000 messages. Any thread may ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest_receipts: OrderedDict[str, dict[str, str]] = OrderedDict()

    def receipts_for(self, notification: Notification) -> dict[str, str]:
        """Each receiver that has this message -> the reference for it. The notifier writes into it."""
        with self._lock:
            receipts = self._latest_receipts.setdefault(notification.id, {})
            self._latest_receipts.move_to_end(notification.id)
            while len(self._latest_receipts) > _MAX_NOTIFICATIONS:
                self._latest_receipts.popitem(last=False)
            return receipts
