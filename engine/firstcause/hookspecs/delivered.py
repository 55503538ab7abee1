"""Which of a message's receivers have it: for notifiers that tell several."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstcause.core.model import Notification, NotifyReason

_REMEMBERED = 1000


class Delivered:
    """Remembers who of a message's receivers has it, so that trying again tells only the others.

    In memory, of each incident the latest message, of the latest 1000 incidents. Any thread may ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: OrderedDict[str, tuple[tuple[NotifyReason, str], dict[str, str]]] = OrderedDict()

    def of(self, notification: Notification) -> dict[str, str]:
        """Each receiver that has this message -> the reference for it. The notifier writes into it."""
        message = (notification.reason, notification.code)
        with self._lock:
            latest, told = self._latest.pop(notification.incident_id, (message, {}))
            if latest != message:
                told = {}
            self._latest[notification.incident_id] = (message, told)
            while len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)
            return told
