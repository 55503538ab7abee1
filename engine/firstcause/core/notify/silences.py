"""Silences mute the notifications of matching alerts for a while, with matchers as in Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from firstcause.core.model import Frozen, Time

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.core.model import Alert

FIELDS = ("code", "service", "component", "tenant", "severity", "message")

FullMatch = Callable[[str, str], bool]
"""Whether a pattern (RE2) matches a whole text. Raises ValueError if the pattern does not compile."""

_MATCHER_SYNTAX = re.compile(r"\s*(?P<field>[a-z_]+)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>.*)", re.DOTALL)


class Matcher(Frozen):
    """A test of one field of an alert. A field that the alert does not have counts as empty."""

    field: Literal["code", "service", "component", "tenant", "severity", "message"]
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def __str__(self) -> str:
        return f'{self.field}{self.operator}"{self.value}"'

    def matches(self, fields: Mapping[str, str], full_match: FullMatch) -> bool:
        value = fields.get(self.field, "")
        is_equal = full_match(self.value, value) if "~" in self.operator else value == self.value
        return is_equal is not self.operator.startswith("!")


class Silence(Frozen):
    """Mutes the alerts that all matchers match, from `starts_at` until `ends_at`.

    silence_id: the row of the store, None before it is stored.
    """

    matchers: tuple[Matcher, ...]
    starts_at: Time
    ends_at: Time
    created_at: Time
    created_by: str
    comment: str | None = None
    silence_id: int | None = None

    def state(self, now: datetime) -> str:
        """Return "pending", "active" or "expired"."""
        if now < self.starts_at:
            return "pending"
        return "active" if now < self.ends_at else "expired"

    def matches(self, alert: Alert, full_match: FullMatch) -> bool:
        fields = matchable_fields(alert)
        return all(matcher.matches(fields, full_match) for matcher in self.matchers)


def matchable_fields(alert: Alert) -> dict[str, str]:
    fields = {
        "code": alert.code,
        "service": alert.service,
        "component": alert.component,
        "tenant": alert.tenant,
        "severity": alert.severity.value,
        "message": alert.sample.message if alert.sample else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def parse_matcher(text: str, full_match: FullMatch) -> Matcher:
    """Parse a matcher such as `code=SMS_DELIVERY_FAILURE` or `service=~"api-.*"`.

    Raises ValueError, with the fix, if the text is not a matcher.
    """
    match = _MATCHER_SYNTAX.fullmatch(text)
    if match is None:
        msg = f'{text!r} is not a matcher; write it like code=SMS_DELIVERY_FAILURE or service=~"api-.*"'
        raise ValueError(msg)
    field, operator, value = match["field"], match["operator"], match["value"].strip()
    if field not in FIELDS:
        msg = f"{text!r}: alerts have no {field!r}; they have {', '.join(FIELDS)}"
        raise ValueError(msg)
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if "~" in operator:
        try:
            full_match(value, "")
        except ValueError as error:
            msg = f"{text!r}: the pattern does not compile: {error}"
            raise ValueError(msg) from None
    return Matcher.model_validate({"field": field, "operator": operator, "value": value})


def reject_catch_all(matchers: tuple[Matcher, ...], full_match: FullMatch) -> None:
    """Raise ValueError if the matchers match an alert without any field, and so nearly every alert."""
    if not matchers or all(matcher.matches({}, full_match) for matcher in matchers):
        msg = "these matchers match nearly every alert; name at least one code, service, component or tenant"
        raise ValueError(msg)
