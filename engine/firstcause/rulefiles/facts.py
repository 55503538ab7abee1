"""The kinds of facts that firstcause itself supplies, with their fields and the words each may hold.

docs/rules.md tells the same to users, and a test holds the two together. Plugins may add kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.model import Category, Priority, Reach, Revenue, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

Words = tuple[str, ...] | None
"""What a text field may hold; None: anything."""


def _words(enum: type[StrEnum]) -> Words:
    return tuple(enum)


FIELDS: Mapping[str, Mapping[str, Words]] = {
    "alert": {
        "id": None,
        "code": None,
        "title": None,
        "message": None,
        "tenant": None,
        "service": None,
        "component": None,
        "category": _words(Category),
        "severity": _words(Severity),
        "state": ("active",),
        "count": None,
        "catalogued": None,
        "customer_facing": None,
        "priority": _words(Priority),
        "revenue": _words(Revenue),
        "tenants": _words(Reach),
        "features": None,
        "tenants_hit": None,
        "age_s": None,
        "probe": None,
    },
    "edge": {
        "id": None,
        "cause": None,
        "effect": None,
        "cause_code": None,
        "effect_code": None,
        "hops": None,
        "best": None,
        "scope": ("platform", "tenant"),
        "lag_s": None,
    },
    "env": {"id": None, "name": None, "present": None},
    "reading": {
        "id": None,
        "probe": None,
        "component": None,
        "status": _words(Status),
        "latency_ms": None,
    },
    "silence": {"id": None, "code": None, "tenant": None, "service": None},
}
"""Kind to field to words. Further fields of `reading` and `silence` are open."""

CLOSED = frozenset({"alert", "edge", "env"})
"""Kinds whose fields are all listed, so that any other can never be found."""

CODES = frozenset({("alert", "code"), ("silence", "code"), ("edge", "cause_code"), ("edge", "effect_code")})
"""Fields that hold error codes."""
