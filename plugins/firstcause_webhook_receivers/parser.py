"""Turns what a tool posts into events, by the mapping in the configuration."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, Severity, code_of, decode_json, parse_items
from firstcause_webhook_receivers.json_paths import select_first, to_text, value_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause import IntakeResult
    from firstcause_webhook_receivers import config

_MAX_NAME_LENGTH = 200
_DIVISORS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""(number, divisor): a time from that number on is in nano-, micro- or milliseconds, not in seconds."""


@dataclass(frozen=True)
class Parser:
    """Reads the requests of one receiver. name: the receiver's, as in [plugins.webhook_receivers.NAME]."""

    name: str
    mapping: config.PayloadMapping

    def parse(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:  # noqa: ARG002 - the hook's shape
        """Read a request; items with nothing at the mapped paths are rejected. IntakeError: no items."""
        try:
            root = decode_json(body)
        except (ValueError, RecursionError) as error:
            msg = f"the body is not JSON: {type(error).__name__}"
            raise IntakeError(msg) from None
        now = datetime.now(UTC)
        return parse_items(
            self._list_items(root), lambda index, item: self._build_event(index, item, root, now)
        )

    @property
    def _table(self) -> str:
        return f"[plugins.webhook_receivers.{self.name}]"

    def _list_items(self, root: Any) -> list[Any]:
        items = value_at(root, self.mapping.items)
        if items is None:
            msg = f"the body has nothing at {self.mapping.items!r}; see {self._table} items"
            raise IntakeError(msg, 422)
        return items if isinstance(items, list) else [items]

    def _build_event(self, index: int, item: Any, root: Any, now: datetime) -> Event:
        mapping = self.mapping
        message, code = (self._read_text(item, root, paths) for paths in (mapping.message, mapping.code))
        if not message and not code:
            paths = ", ".join((*mapping.message, *mapping.code))
            msg = f"item {index} has nothing at {paths}; see {self._table}"
            raise IntakeError(msg, 422)
        severity, state = (
            (self._read_text(item, root, paths) or "").lower()
            for paths in (mapping.severity, mapping.resolved)
        )
        return Event(
            id=self._make_event_id(item, root, now, state),
            time=_parse_time(select_first(item, root, mapping.time)) or now,
            code=code_of(code) if code else None,
            message=message or code,
            severity=mapping.severities.get(severity) or Severity.from_word(severity),
            service=self._read_name(item, root, mapping.service),
            tenant=self._read_name(item, root, mapping.tenant),
            details=item if isinstance(item, dict) else {"value": item},
            labels=self._read_labels(item, root),
            resolved=bool(state) and state in mapping.resolved_values,
            reports_end=bool(mapping.resolved),
        )

    def _read_text(self, item: Any, root: Any, paths: Sequence[str]) -> str | None:
        value = select_first(item, root, paths)
        return to_text(value) or None if value is not None else None

    def _read_name(self, item: Any, root: Any, paths: Sequence[str]) -> str | None:
        name = self._read_text(item, root, paths)
        return name[:_MAX_NAME_LENGTH] if name else None

    def _read_labels(self, item: Any, root: Any) -> dict[str, str]:
        values = {name: self._read_name(item, root, paths) for name, paths in self.mapping.labels.items()}
        return {name: value for name, value in values.items() if value}

    def _make_event_id(self, item: Any, root: Any, now: datetime, state: str) -> str:
        """Make the id that detects a repeated occurrence. Without an id in the item: one a minute."""
        occurrence_id = select_first(item, root, self.mapping.id)
        identity = [occurrence_id, state] if occurrence_id is not None else [item, f"{now:%Y-%m-%dT%H:%M}"]
        encoded = json.dumps(identity, sort_keys=True).encode("utf-8", "replace")
        return f"webhooks:{self.name}:{hashlib.blake2b(encoded, digest_size=16).hexdigest()}"


def _parse_time(value: object) -> datetime | None:
    """Parse ISO 8601, or a number of s, ms, µs or ns since 1970; None for anything else."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
            parsed = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
            return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            divisor = next((candidate for threshold, candidate in _DIVISORS if number >= threshold), 1.0)
            return datetime.fromtimestamp(number / divisor, UTC) if number > 0 else None
    return None
