"""Sends messages about firstcause itself without triage and without the store: straight to notifiers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from firstcause.core.notification import Notification
    from firstcause.core.privacy.masking import Mask
    from firstcause.notify.notification_service import NotificationService

log = logging.getLogger("firstcause.selfcheck")


@dataclass(frozen=True)
class DirectSender:
    """Tries notifiers one after the other until one delivers."""

    notifications: NotificationService
    get_mask: Callable[[], Mask]

    def send(
        self,
        notification: Notification,
        *,
        route: str | None = None,
        excluded: Collection[str] = (),
        first: str | None = None,
    ) -> str | None:
        """Send a message; return the notifier that took it, None where none did.

        route: the route whose notifiers are tried; None for all of them. excluded: notifiers known to fail.
        first: the notifier to try first, as it sent what this message is the end of.
        """
        mask = self.get_mask()
        masked = notification.model_copy(
            update={name: mask.mask_text(getattr(notification, name)) for name in ("title", "text", "body")}
        )
        for name in sorted(self._list_candidates(route), key=lambda name: name != first):
            if name in excluded:
                continue
            result = self.notifications.send_directly(name, masked, datetime.now(UTC))
            if result.error is None:
                log.info("message about firstcause itself sent by %s: %s", name, masked.title)
                return name
            error = mask.mask_text(result.error)
            log.warning("notifier %s failed for a message about firstcause itself: %s", name, error)
        log.error("nobody could be notified about firstcause itself: %s", masked.title)
        return None

    def find_first_route(self) -> str | None:
        """Return the name of the first route that people get messages by; None where there is none."""
        return next(iter(self.notifications.list_routes()), None)

    def _list_candidates(self, route: str | None) -> Iterator[str]:
        """List the notifiers in the order of the routes, those that only write to a log at the end."""
        notifiers = self.notifications.notifiers
        routes = self.notifications.list_routes()
        names = [
            name
            for route_name, members in routes.items()
            if route is None or route_name == route
            for name in members
            if name in notifiers
        ]
        yield from sorted(dict.fromkeys(names), key=lambda name: notifiers[name].last_resort)
