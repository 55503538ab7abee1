"""Which incidents a list shows, and the counts that stay true when it is cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firstcause.core.incidents.incident_filter import (
    IncidentFilter,
    count_by_priority,
    find_group,
    list_choices,
    sort_for_list,
)
from firstcause.core.model import Impact, Incident, IncidentStatus, Priority, Root, Severity

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def incident(number: int = 1, priority: str = "P1", **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "fault": f"f{number}",
        "root": Root(code="REDIS_SLOW", service="checkout", tenant=None),
        "title": "Redis answers slowly",
        "priority": Priority(priority),
        "severity": Severity.WARNING,
        "impact": Impact(companies=("acme", "bolt"), components=("redis",)),
        "opened_at": NOW + timedelta(seconds=number),
        "stored_id": number,
    }
    return Incident(**(fields | changes))


@pytest.mark.parametrize(
    ("chosen", "is_shown"),
    [
        ({}, True),
        ({"text": "slowly REDIS acme"}, True),
        ({"text": "slowly mongodb"}, False),
        ({"priority": "P1"}, True),
        ({"priority": "P0"}, False),
        ({"service": "Checkout"}, True),
        ({"service": "redis"}, True),
        ({"service": "stock"}, False),
        ({"tenant": "bolt"}, True),
        ({"tenant": "cora"}, False),
        ({"state": "new"}, True),
        ({"state": "acknowledged"}, False),
    ],
)
def test_what_is_chosen_is_shown(chosen: dict[str, Any], is_shown: bool) -> None:
    assert IncidentFilter.model_validate(chosen).matches(incident()) is is_shown


def test_what_somebody_took_or_a_rule_silenced_is_not_new() -> None:
    new = IncidentFilter.model_validate({"state": "new"})
    assert not new.matches(incident(acknowledged_at=NOW))
    assert not new.matches(incident(suppressed=True))
    assert IncidentFilter.model_validate({"state": "silenced"}).matches(incident(suppressed=True))


def test_an_old_p0_is_before_what_is_new_and_what_is_over_is_last() -> None:
    over = incident(9, "P0", status=IncidentStatus.RESOLVED)
    ordered = sort_for_list([over, incident(8, "P2"), incident(5), incident(3), incident(1, "P0")])
    assert [one.row_id for one in ordered] == [1, 3, 5, 8, 9]
    assert list(count_by_priority(ordered).items()) == [("P0", 2), ("P1", 2), ("P2", 1)]


def test_a_group_is_a_service_else_a_component() -> None:
    nameless = Root(code="X", service=None, tenant=None)
    assert find_group(incident()) == "checkout"
    assert find_group(incident(root=nameless)) == "redis"
    lonely = incident(root=nameless, impact=Impact())
    assert find_group(lonely) == "other"
    assert IncidentFilter(service="other").matches(lonely)
    assert list_choices([incident(), lonely, incident(2)], 1) == {
        "services": ["checkout"],
        "tenants": ["acme"],
    }
