"""The kinds of facts that firstcause itself supplies, with their fields and the words each may hold.

docs/rules.md tells the same to users, and a test holds the two together. Plugins may add kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.health.comparison import CATEGORIES
from firstcause.core.model import Category, Priority, Revenue, Severity, Status, TenantScope, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

AllowedValues = tuple[str, ...] | None
"""What a text field may hold; None: anything."""


def _list_enum_values(enum: type[StrEnum]) -> AllowedValues:
    return tuple(enum)


FIELDS_BY_KIND: Mapping[str, Mapping[str, AllowedValues]] = {
    "alert": {
        "id": None,
        "code": None,
        "title": None,
        "message": None,
        "tenant": None,
        "service": None,
        "component": None,
        "category": _list_enum_values(Category),
        "severity": _list_enum_values(Severity),
        "state": ("active",),
        "count": None,
        "catalogued": None,
        "customer_facing": None,
        "priority": _list_enum_values(Priority),
        "revenue": _list_enum_values(Revenue),
        "tenants": _list_enum_values(TenantScope),
        "features": None,
        "component_features": None,
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
    "suspect": {
        "id": None,
        "component": None,
        "chosen": None,
        "rank": None,
        "confidence": None,
        "silent": None,
        "explains": None,
        "callers": None,
        "callers_failing": None,
        "for": None,
        "against": None,
        "alert": None,
    },
    "link": {
        "id": None,
        "cause": None,
        "effect": None,
        "cause_component": None,
        "effect_component": None,
        "relation": ("explained", "beside"),
        "signal": None,
        "confidence": None,
        "codes_known": None,
    },
    "dependency": {"id": None, "component": None, "on": None},
    "past_root": {"id": None, "component": None, "incidents": None},
    "symptom": {"id": None, "component": None, "metric": None},
    "verdict": {
        "id": None,
        "verdict": _list_enum_values(VerdictKind),
        "rule": None,
        "of": None,
        "by": None,
        "code": None,
        "by_code": None,
        "reason": None,
        "confidence": None,
        "priority": None,
    },
    "env": {"id": None, "name": None, "present": None},
    "reading": {
        "id": None,
        "probe": None,
        "component": None,
        "status": _list_enum_values(Status),
        "latency_ms": None,
    },
    "metric": {"id": None, "name": None, "probe": None, "component": None, "value": None},
    "tenant": {"id": None, "name": None, "alerts": None, "codes": None, "critical": None},
    "history": {
        "id": None,
        "code": None,
        "seen": None,
        "known_s": None,
        "incidents": None,
        "resolved_s": None,
        "last_fix": None,
    },
    "change": {
        "id": None,
        "category": None,
        "component": None,
        "name": None,
        "before": None,
        "after": None,
        "age_s": None,
    },
    "snapshot": {
        "id": None,
        "probes": None,
        "up": None,
        "degraded": None,
        "down": None,
        "alerts": None,
        "critical": None,
        "errors": None,
        "errors_per_minute": None,
    },
    "difference": {
        "id": None,
        "category": CATEGORIES,
        "component": None,
        "name": None,
        "before": None,
        "after": None,
        "change": None,
        "ratio": None,
        "count": None,
        "code": None,
        "score": None,
        "worse": None,
        "regression": None,
    },
    "forecast": {
        "id": None,
        "metric": None,
        "component": None,
        "probe": None,
        "value": None,
        "limit": None,
        "per_hour": None,
        "in_s": None,
        "earliest_s": None,
        "latest_s": None,
        "evidence": None,
    },
    "deploy": {"id": None, "service": None, "version": None, "before": None, "age_s": None},
    "silence": {
        "id": None,
        "silence": None,
        "alert": None,
        "code": None,
        "tenant": None,
        "service": None,
        "component": None,
        "by": None,
        "comment": None,
    },
}
"""Kind to field to words. `deploy`, `dependency` and `symptom` come from plugins."""

CLOSED_KINDS = frozenset(
    {
        "alert",
        "difference",
        "edge",
        "env",
        "forecast",
        "history",
        "link",
        "snapshot",
        "suspect",
        "tenant",
        "verdict",
    }
)
"""Kinds whose fields are all listed, so that any other can never be found."""

CODE_FIELDS = frozenset(
    {
        ("alert", "code"),
        ("silence", "code"),
        ("edge", "cause_code"),
        ("edge", "effect_code"),
        ("history", "code"),
        ("verdict", "code"),
        ("verdict", "by_code"),
    }
)
"""Fields that hold error codes."""
