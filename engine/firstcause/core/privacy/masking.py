"""Masks secrets in what senders report, before events are stored, shown or sent.

The time is linear in the length of the input.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from firstcause.core.privacy.patterns import MASKED, MIN_SECRET_LENGTH, TEXT_PATTERNS, is_secret_name
from firstcause.core.privacy.prefilter import surely_clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from firstcause.core.model import Event, Source

_MAX_DEPTH = 50
_MAX_PASSES = 4
_MAX_NAME_LENGTH = 200
_MAX_INT_BITS = 10_000


class Mask:
    """Masks secrets in texts, JSON-like data and events. Masking a masked value changes nothing.

    secrets: exact values that must not appear anywhere: neither as they are nor encoded for JSON or a URL.
        Values shorter than 6 characters are ignored, since they also occur in ordinary text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {form for secret in secrets for form in _encode_forms(secret.strip())}
        usable = (value for value in values if len(value) >= MIN_SECRET_LENGTH and value not in MASKED)
        self._secrets = sorted(usable, key=lambda value: (-len(value), value))
        self._secret_bytes = [value.encode("utf-8", "replace") for value in self._secrets]

    def surely_clean(self, document: bytes) -> bool:
        """Whether masking surely changes nothing in a JSON document, by one look at its bytes."""
        return surely_clean(document, self._secret_bytes)

    def mask_text(self, text: str) -> str:
        """Replace every secret in a text by "[masked]"."""
        for _ in range(_MAX_PASSES):
            # What one pattern leaves can complete a match of another: repeat until nothing changes.
            masked = _mask_patterns(self.mask_exact(text))
            if masked == text:
                break
            text = masked
        return text

    def mask_exact(self, text: str) -> str:
        """Replace only the exact secrets in a text."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASKED)
        return text

    def mask_data(self, value: Any) -> Any:
        """Mask secrets in JSON-like data, by the name they stand under or by their look.

        Never raises. A value that JSON cannot hold becomes text. None, booleans and "" under a secret's name
        stay, because a missing password is often the cause of an error.
        """
        return self._mask_value(value, 0)

    def mask_event(self, event: Event) -> Event:
        """Mask secrets in an event. Its names (id, code, tenant, service) lose only the exact secrets."""
        return event.model_copy(
            update={
                "id": self.mask_exact(event.id),
                "message": self._mask_optional(event.message),
                "stack": self._mask_optional(event.stack),
                "details": self.mask_data(event.details),
                "tags": self.mask_data(event.tags),
                "labels": self.mask_data(event.labels),
                "source": self._mask_source(event.source),
                "code": self._mask_name(event.code),
                "tenant": self._mask_name(event.tenant),
                "service": self._mask_name(event.service),
                "grouping": tuple(map(self.mask_text, event.grouping)),
            }
        )

    def _mask_optional(self, text: str | None) -> str | None:
        return None if text is None else self.mask_text(text)

    def _mask_name(self, name: str | None) -> str | None:
        return None if name is None else self.mask_exact(name)[:_MAX_NAME_LENGTH]

    def _mask_source(self, source: Source | None) -> Source | None:
        if source is None:
            return None
        names = ("file", "function", "query")
        return source.model_copy(update={name: self._mask_optional(getattr(source, name)) for name in names})

    def _mask_value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.mask_text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._mask_number(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._mask_nested(value, depth)
        return self.mask_text(_to_text(value))

    def _mask_nested(self, value: Mapping[Any, Any] | Collection[Any], depth: int) -> Any:
        if depth >= _MAX_DEPTH:
            return "[too deep]"
        return (
            self._mask_mapping(value, depth)
            if isinstance(value, Mapping)
            else self._mask_sequence(list(value), depth)
        )

    def _mask_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        pair_name = value.get("name", value.get("key"))
        is_secret_pair = isinstance(pair_name, str) and is_secret_name(pair_name)
        masked = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else _to_text(key)
            is_secret = is_secret_name(name) or (is_secret_pair and name == "value")
            masked[self.mask_text(name)] = (
                _hide_value(item) if is_secret else self._mask_value(item, depth + 1)
            )
        return masked

    def _mask_sequence(self, value: Sequence[Any], depth: int) -> list[Any]:
        match value:
            case [str() as name, item] if is_secret_name(name):  # an HTTP header as a pair
                return [name, _hide_value(item)]
        return [self._mask_value(item, depth + 1) for item in value]

    def _mask_number(self, value: float) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
            return "[number too long]"
        text = str(value)
        masked = self.mask_text(text) if len(text) >= MIN_SECRET_LENGTH else text
        return value if masked == text else masked


def _encode_forms(secret: str) -> tuple[str, ...]:
    encodable = secret.encode("utf-8", "replace").decode()
    in_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return secret, *in_json, quote(encodable, safe=""), quote(encodable), quote_plus(encodable)


def _to_text(value: object) -> str:
    try:
        return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        return f"[unreadable {type(value).__name__}]"


def _hide_value(value: object) -> object:
    return value if value is None or isinstance(value, bool) or value == "" else MASKED


# Plain tuples, since every text of every event passes here.
_HINTED_PATTERNS = tuple(
    (pattern.hints, pattern.ignore_case, pattern.regex.sub, pattern.replacement)
    for pattern in TEXT_PATTERNS
    if pattern.hints
)
_OTHER_PATTERNS = tuple(pattern for pattern in TEXT_PATTERNS if not pattern.hints)


def _mask_patterns(text: str) -> str:
    lower = text.lower()
    for hints, ignore_case, replace, replacement in _HINTED_PATTERNS:
        searched = lower if ignore_case else text
        for hint in hints:
            if hint in searched:
                text = replace(replacement, text)
                break
    for pattern in _OTHER_PATTERNS:
        if len(text) >= pattern.min_length:
            text = pattern.regex.sub(pattern.replacement, text)
    return text
