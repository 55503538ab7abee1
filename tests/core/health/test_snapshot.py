from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.health.snapshot import (
    ActiveAlert,
    ErrorSummary,
    ProbeObservation,
    Snapshot,
    percentile,
    roll_up_snapshots,
    to_observation,
)
from firstcause.core.model import Severity, Status
from firstcause.core.reading import Reading

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def taken(after: float = 0, **fields: object) -> Snapshot:
    return Snapshot.model_validate({"taken_at": NOW + timedelta(seconds=after), **fields})


def seen(status: str = "UP", **fields: object) -> ProbeObservation:
    return ProbeObservation.model_validate({"status": status, "component": "redis", **fields})


@given(st.lists(st.floats(0, 1e6), min_size=2), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_that_at_least_the_share_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


def test_a_single_value_has_no_percentile() -> None:
    assert percentile([3.0], 0.95) is None


def test_every_number_has_a_name_and_words_are_none() -> None:
    one = taken(
        infrastructure={
            "redis": seen(
                latency_ms=1.5, p95_ms=2, data={"memory_share": 0.5, "version": "7.0", "primary": True}
            ),
            "main": seen("DOWN"),
        },
        errors=ErrorSummary(seconds=300, critical=4, warning=6),
        alerts_open=3,
    )
    assert one.metrics == {
        "redis.memory_share": 0.5,
        "redis.latency_ms": 1.5,
        "redis.p95_ms": 2.0,
        "errors": 10.0,
        "errors.per_minute": 2.0,
        "errors.critical": 4.0,
        "errors.warning": 6.0,
        "errors.info": 0.0,
        "alerts": 3.0,
        "health": 0.5,
    }
    assert one.status is Status.DOWN
    assert one.infrastructure["redis"].texts == {"version": "7.0"}
    assert (taken().status, "health" in taken().metrics) == (None, False)


def test_a_reading_is_kept_with_the_percentiles_of_its_checks() -> None:
    reading = Reading(status=Status.UP, latency_ms=5, data={"used": 3, "nothing": None})
    kept = to_observation("redis", reading, [float(n) for n in range(1, 101)])
    assert (kept.latency_ms, kept.p95_ms, kept.p99_ms, kept.data) == (5, 95, 99, {"used": 3})


def test_rolled_up_the_worst_status_the_usual_number_and_all_errors_are_left() -> None:
    alert = ActiveAlert(code="A", severity=Severity.CRITICAL)
    several = [
        taken(
            300 * number,
            infrastructure={
                "redis": seen(status, detail=status, latency_ms=ms, p95_ms=ms, data={"share": ms})
            },
            errors=ErrorSummary(seconds=300, critical=number, top=(("A", number + 1),), new=(f"N{number}",)),
            configuration={"KEY": f"{number}"},
            alerts_open=3 - number,
            alerts=(alert,) if number == 2 else (),
        )
        for number, (status, ms) in enumerate([("UP", 10.0), ("DOWN", 90.0), ("UP", 20.0)])
    ]
    one = roll_up_snapshots(several)
    assert one.infrastructure["redis"] == seen(
        "DOWN", detail="DOWN", latency_ms=20, p95_ms=90, data={"share": 20}
    )
    assert (one.taken_at, one.configuration, one.alerts) == (several[-1].taken_at, {"KEY": "2"}, (alert,))
    assert (one.errors.critical, one.errors.seconds, one.errors.top) == (3, 900, (("A", 6),))
    assert (one.errors.new, one.alerts_open) == (("N0", "N1", "N2"), 3)


def test_errors_of_windows_that_overlap_are_not_counted_twice() -> None:
    several = [taken(10 * number, errors=ErrorSummary(seconds=300, warning=30)) for number in range(31)]
    one = roll_up_snapshots(several).errors
    assert (one.seconds, one.warning, one.per_minute) == (600, 60, 6.0)


def test_one_alone_stays_as_it_is_and_none_is_a_mistake() -> None:
    one = taken(infrastructure={"redis": seen(latency_ms=1)}, errors=ErrorSummary(seconds=300, info=2))
    assert roll_up_snapshots([one]) == one
    with pytest.raises(ValueError, match="nothing to roll up"):
        roll_up_snapshots([])
