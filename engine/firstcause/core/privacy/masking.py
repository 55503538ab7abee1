"""Masks secrets in what senders report, before events are stored, shown or sent.

The time is linear in the length of the input.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import msgspec

from firstcause.core.privacy.connections import mask_arguments
from firstcause.core.privacy.names import is_secret_name
from firstcause.core.privacy.pattern_types import MASKED, MIN_SECRET_LENGTH
from firstcause.core.privacy.personal import PersonalData, is_identifier_name
from firstcause.core.privacy.prefilter import Prefilter, get_name_prefilter, get_prefilter
from firstcause.core.privacy.prose import FIELD_NAMES, is_ordinary_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from firstcause.core.model import Event, Source

_MAX_DEPTH = 50
_MAX_PASSES = 4
_MAX_NAME_LENGTH = 200
_MAX_INT_BITS = 10_000
_MAX_CACHED_LENGTH = 64
_ID_DIGEST_BYTES = 16
_MIN_CARD_DIGITS = 14
_CARD_LIMIT = 10**19


class Mask:
    """Masks secrets in texts, JSON-like data and events. Masking a masked value changes nothing.

    secrets: exact values that must not appear anywhere: neither as they are nor encoded for JSON or a URL.
        Values shorter than 6 characters are ignored, since they also occur in ordinary text.
    personal_data: what is masked beside secrets.
    """

    def __init__(
        self, secrets: Iterable[str] = (), personal_data: Iterable[PersonalData] = (PersonalData.CARDS,)
    ) -> None:
        values = {form for secret in secrets for form in _encode_forms(secret.strip())}
        usable = (value for value in values if len(value) >= MIN_SECRET_LENGTH and value not in MASKED)
        self._secrets = sorted(usable, key=lambda value: (-len(value), value))
        self._secret_bytes = [value.encode("utf-8", "replace") for value in self._secrets]
        kinds = frozenset(personal_data)
        self._prefilter = get_prefilter(kinds)
        # Names repeat from event to event. Long ones are not kept, so that memory stays bounded.
        self._mask_key_cached = lru_cache(maxsize=4096)(self.mask_text)
        self._mask_name_cached = lru_cache(maxsize=4096)(self._mask_name_text)

    def surely_clean(self, document: bytes) -> bool:
        """Whether masking surely changes nothing in a JSON document in UTF-8, by one look at its bytes."""
        return self._prefilter.is_clean(document) and not any(
            secret in document for secret in self._secret_bytes
        )

    def mask_text(self, text: str) -> str:
        """Replace every secret in a text by "[masked]"."""
        return self._mask_with(self._prefilter, text)

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
        """Mask secrets in an event. Of its names (id, code, tenant, service) personal data stays."""
        return event.model_copy(
            update={
                "id": self._mask_id(event.id),
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

    def _mask_with(self, prefilter: Prefilter, text: str) -> str:
        for _ in range(_MAX_PASSES):
            # What one pattern leaves can complete a match of another: repeat until nothing changes.
            masked = self.mask_exact(text)
            document = _to_json(masked)
            if not prefilter.is_clean(document):
                for row in prefilter.find_rows(document):
                    masked = row.mask(masked)
            if masked == text:
                break
            text = masked
        return text

    def _mask_name_text(self, name: str) -> str:
        return self._mask_with(get_name_prefilter(), name)[:_MAX_NAME_LENGTH]

    def _mask_name(self, name: str | None) -> str | None:
        if name is None:
            return None
        return self._mask_name_cached(name) if len(name) <= _MAX_NAME_LENGTH else self._mask_name_text(name)

    def _mask_id(self, event_id: str) -> str:
        """A digest takes the place of an id with a secret: events with different ids stay different."""
        if self._mask_with(get_name_prefilter(), event_id) == event_id:
            return event_id
        digest = hashlib.blake2b(event_id.encode("utf-8", "replace"), digest_size=_ID_DIGEST_BYTES)
        return f"masked-{digest.hexdigest()}"

    def _mask_key(self, name: str) -> str:
        return self._mask_key_cached(name) if len(name) <= _MAX_CACHED_LENGTH else self.mask_text(name)

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
            if is_secret_name(name) or (is_secret_pair and name == "value"):
                masked[self._mask_key(name)] = self._hide_value(item)
            elif _is_long_number(item) and is_identifier_name(name):
                masked[self._mask_key(name)] = self._mask_identifier(item)
            else:
                masked[self._mask_key(name)] = self._mask_value(item, depth + 1)
        return masked

    def _mask_sequence(self, value: Sequence[Any], depth: int) -> list[Any]:
        match value:
            case [str() as name, item] if is_secret_name(name) and not _is_other_name(item):
                return [name, self._hide_value(item)]  # an HTTP header as a pair
        if any(type(item) is str and item.startswith("-") for item in value):
            value = self._mask_arguments(value)
        return [self._mask_value(item, depth + 1) for item in value]

    def _mask_arguments(self, value: Sequence[Any]) -> Sequence[Any]:
        """Mask what stands after options in a list of a command's arguments."""
        if not all(isinstance(item, str) for item in value):
            return value
        arguments = mask_arguments(list(value))
        return [
            self._hide_value(item)
            if before.startswith("-")
            and not item.startswith("-")
            and is_secret_name(before)
            and "=" not in before
            else item
            for before, item in zip(("", *arguments), arguments, strict=False)
        ]

    def _mask_number(self, value: float) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
            return "[number too long]"
        text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
        masked = self.mask_text(text) if len(text) >= MIN_SECRET_LENGTH else text
        return value if masked == text else masked

    def _mask_identifier(self, value: str | int) -> Any:
        text = str(value)
        masked = self.mask_exact(text)
        return value if masked == text else masked

    def _hide_value(self, value: object) -> object:
        """Mask a value under a secret's name, unless it says that there is none, or why."""
        if value is None or isinstance(value, bool) or value == "":
            return value
        if isinstance(value, str) and is_ordinary_value(value):
            return self.mask_text(value)
        if isinstance(value, list) and all(
            isinstance(item, str) and is_ordinary_value(item) for item in value
        ):
            return [self.mask_text(item) for item in value]
        return MASKED


def _is_long_number(value: object) -> bool:
    """Whether a value may be a card number."""
    if isinstance(value, str):
        return len(value) >= _MIN_CARD_DIGITS and value.isdigit()
    return isinstance(value, int) and 10 ** (_MIN_CARD_DIGITS - 1) <= value < _CARD_LIMIT


def _is_other_name(value: object) -> bool:
    return isinstance(value, str) and (value.lower() in FIELD_NAMES or is_secret_name(value))


def _encode_forms(secret: str) -> tuple[str, ...]:
    encodable = secret.encode("utf-8", "replace").decode()
    in_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return secret, *in_json, quote(encodable, safe=""), quote(encodable), quote_plus(encodable)


def _to_text(value: object) -> str:
    try:
        return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        return f"[unreadable {type(value).__name__}]"


def _to_json(text: str) -> bytes:
    try:
        return msgspec.json.encode(text)
    except UnicodeEncodeError:  # a half of a surrogate pair, which Python reads from JSON
        return json.dumps(text).encode()
