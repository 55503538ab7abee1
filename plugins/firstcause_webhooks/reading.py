"""What a tool posts, into events by its mapping."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, code_of
from firstcause_webhooks.places import at, first, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause_webhooks import config

_LONGEST_NAME = 200
_DIVISORS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From these numbers on a time is not in seconds, but in nano-, micro- or milliseconds."""


@dataclass(frozen=True)
class Reader:
    name: str
    mapping: config.Mapping

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the hook's shape
        """IntakeError where it is no JSON, or where nothing stands at the places."""
        try:
            root = json.loads(body)
        except (ValueError, RecursionError) as error:
            msg = f"the body is no JSON: {type(error).__name__}"
            raise IntakeError(msg) from None
        now = datetime.now(UTC)
        return [self._event(index, item, root, now) for index, item in enumerate(self._items(root))]

    def _items(self, root: Any) -> list[Any]:
        found = at(root, self.mapping.each)
        if found is None:
            msg = f"there is nothing at {self.mapping.each!r}; see [plugins.webhooks.{self.name}] each"
            raise IntakeError(msg, 422)
        return found if isinstance(found, list) else [found]

    def _event(self, index: int, item: Any, root: Any, now: datetime) -> Event:
        mapping = self.mapping
        said, code = (self._text(item, root, places) for places in (mapping.message, mapping.code))
        if not said and not code:
            places = ", ".join((*mapping.message, *mapping.code))
            msg = f"item {index}: there is nothing at {places}; see [plugins.webhooks.{self.name}]"
            raise IntakeError(msg, 422)
        severity, ending = (
            (self._text(item, root, places) or "").lower() for places in (mapping.severity, mapping.resolved)
        )
        return Event(
            id=self._id(item, root, now, ending),
            time=_time(first(item, root, mapping.time)) or now,
            code=code_of(code) if code else None,
            message=said or code,
            severity=mapping.severities.get(severity),
            service=self._name(item, root, mapping.service),
            tenant=self._name(item, root, mapping.tenant),
            details=item if isinstance(item, dict) else {"value": item},
            resolved=bool(ending) and ending in mapping.over,
        )

    def _text(self, item: Any, root: Any, places: Sequence[str]) -> str | None:
        found = first(item, root, places)
        return text(found) or None if found is not None else None

    def _name(self, item: Any, root: Any, places: Sequence[str]) -> str | None:
        found = self._text(item, root, places)
        return found[:_LONGEST_NAME] if found else None

    def _id(self, item: Any, root: Any, now: datetime, ending: str) -> str:
        """Without an id of its own the same item counts once a minute."""
        own = first(item, root, self.mapping.id)
        told = [own, ending] if own is not None else [item, f"{now:%Y-%m-%dT%H:%M}"]
        packed = json.dumps(told, sort_keys=True).encode("utf-8", "replace")
        return f"webhooks:{self.name}:{hashlib.blake2b(packed, digest_size=16).hexdigest()}"


def _time(value: object) -> datetime | None:
    """ISO 8601, or a number of seconds, or of thousandths, millionths or billionths of one, since 1970."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
            found = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            divisor = next((each for least, each in _DIVISORS if number >= least), 1.0)
            return datetime.fromtimestamp(number / divisor, UTC) if number > 0 else None
    return None
