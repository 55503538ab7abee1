"""Where, what the root said and whom it hits: what a message adds to its title, and nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firstcause.core.model import Alert, AlertPart, AlertParts, Role, Sample, Severity
from firstcause.core.notify.message_facts import (
    describe_place,
    find_raw_line,
    format_hits,
    is_said,
    list_hit_services,
    shorten_step,
)

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
TITLE = "Postgres disk full"


def alert(service: str | None = None, message: str | None = None, **changes: Any) -> Alert:
    tags = changes.pop("tags", {})
    fields: dict[str, Any] = {
        "fingerprint": f"{service}", "fault": "f", "code": "DISK", "catalogued": True, "title": TITLE,
        "severity": Severity.CRITICAL, "component": "postgres", "first_seen": NOW,
        "last_seen": NOW, "count": 1,
        "service": service, "sample": Sample(message=message, tags=tags), "role": Role.ROOT,
    }  # fmt: skip
    return Alert(**(fields | changes))


def part(ended: bool = False, **labels: str) -> AlertPart:
    return AlertPart(
        labels=labels,
        count=1,
        first_seen=NOW,
        last_seen=NOW,
        received_at=NOW,
        resolved_at=NOW if ended else None,
    )


@pytest.mark.parametrize(
    ("roots", "place"),
    [
        ([alert()], None),
        ([alert("billing")], "in billing"),
        ([alert("a"), alert("b"), alert("c")], "in a, b +1"),
        ([alert(tags={"server_name": "web-3"})], "at web-3"),
        ([alert("billing", tags={"host.name": "db-1"})], "at db-1 (billing)"),
        ([alert("db-1", tags={"host": "db-1"})], "at db-1"),
        ([alert("postgres")], None),
        (
            [
                alert(
                    parts=AlertParts(
                        shown=(part(instance="db-1"), part(True, instance="db-2"), part(pod="p"))
                    )
                )
            ],
            "at db-1, p",
        ),
    ],
)  # fmt: skip
def test_the_place_is_the_host_else_the_service_unless_the_title_has_it(
    roots: list[Alert], place: str | None
) -> None:
    assert describe_place(roots, TITLE) == place


def test_the_raw_line_is_the_first_and_only_if_it_says_more() -> None:
    assert find_raw_line([alert(message="\nNo space left\n on device")], TITLE) == "No space left"
    assert find_raw_line([alert(message="the disk of Postgres is full")], TITLE) is None
    assert find_raw_line([alert()], TITLE) is None


def test_a_tautology_is_known() -> None:
    assert is_said("POSTGRES_DISK_FULL is active and none of its known causes is", TITLE)
    assert not is_said("TWILIO_ACCOUNT_SID is not set", "Twilio API connection failed", "TWILIO_API_FAILURE")


def test_a_step_is_said_without_its_reasons() -> None:
    assert shorten_step("Enlarge the volume now; that is the quickest.") == "Enlarge the volume now"
    assert shorten_step("Look at https://x.example for an outage, where there is one, wait.") == (
        "Look at https://x.example for an outage"
    )
    assert shorten_step("Stop. Look.") == "Stop. Look"


def test_whom_it_hits_is_counted() -> None:
    effects = [
        alert("db", role=Role.ROOT),
        alert("db", role=Role.CASCADE, count=99),
        alert("stock", role=Role.CASCADE, count=2),
        alert("payments", role=Role.CASCADE, count=7),
    ]
    assert list_hit_services(effects) == ("payments", "stock")
    assert format_hits("3 of 9 companies", ("payments", "stock", "users", "x", "y"), 1710) == (
        "Hits 3 of 9 companies; payments, stock, users +2; 1,710 errors"
    )
    assert format_hits(None, (), 1) is None
    assert format_hits(None, (), 12) == "12 errors"
