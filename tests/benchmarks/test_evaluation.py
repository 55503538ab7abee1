"""What a batch costs while thousands of alerts are active: it grows with them, and never with their pairs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from firstcause.store import alerts
from support.benchmark_figures import Anchor, at_most
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from firstcause.core.model import Alert, Event
    from firstcause.core.root_cause.graphs import CauseGraph
    from support.benchmark_figures import Recorder

COMPONENTS, EVENTS_PER_TENANT = 1_000, 2

pytestmark = pytest.mark.alone


@pytest.fixture
def sqlite_stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    yield stage
    stage.app.close()


def list_codes(stage: Stage) -> list[str]:
    entries = sorted(stage.app.rules.catalog.entries)
    return [code for code in entries if not code.startswith("FIRSTCAUSE")][:100]


def measure_batches(stage: Stage, seconds: float, events: Sequence[Event]) -> list[float]:
    """The processor seconds of each batch until nothing waits any more."""
    stage.app.intake.accept(events, stage.time(seconds))
    took: list[float] = []
    while True:
        start = time.process_time()
        if not stage.app.pipeline.triage(stage.time(seconds)).did_work:
            return took
        took.append(time.process_time() - start)


def count_pairs(active: Sequence[Alert], graph: CauseGraph) -> int:
    """What an edge for each pair of a possible cause and its effect would be, without tenants."""
    by_code: dict[str, int] = {}
    for alert in active:
        by_code[alert.code] = by_code.get(alert.code, 0) + 1
    return sum(by_code.get(cause, 0) for alert in active for cause in graph.find_causes(alert.code))


@pytest.mark.parametrize("count", [2_500, 5_000, 10_000])
def test_a_batch_among_thousands_of_active_alerts(count: int, sqlite_stage: Stage, record: Recorder) -> None:
    stage = sqlite_stage
    codes = [code for code in sorted(stage.app.rules.catalog.entries) if not code.startswith("FIRSTCAUSE")][
        :100
    ]
    tenants = count // EVENTS_PER_TENANT
    storm = [
        stage.event(
            0, codes[n % 100], service=f"s{(n + n // tenants) % COMPONENTS}", tenant=f"t{n % tenants}"
        )
        for n in range(count)
    ]
    first = measure_batches(stage, 1, storm)
    platform = measure_batches(stage, 2, [stage.event(2, "REDIS_CONNECTION_ERROR")])
    own = measure_batches(stage, 3, [stage.event(3, codes[0], service="s1", tenant="t0")])
    with stage.app.database.read() as conn:
        active = alerts.load_active(conn)
    pairs = count_pairs(active, stage.app.rules.current.graph)
    about = f"{count:,} active alerts, {COMPONENTS:,} components, {tenants:,} tenants"
    bar = at_most(2.0) if count == 10_000 else None
    record(f"{about}: the longest batch", max(*first, *platform), "CPU s", bar=bar)
    record(f"{about}: all batches of one platform error", sum(platform), "CPU s")
    record(f"{about}: the batch of one tenant's error", max(own), "CPU s", bar=bar)
    record(f"{about}: alerts", len(active), anchor=Anchor("pairs of cause and effect", pairs))
    assert len(active) >= count


def test_known_errors_of_the_platform_at_many_services(sqlite_stage: Stage, record: Recorder) -> None:
    stage = sqlite_stage
    codes = [code for code in sorted(stage.app.rules.catalog.entries) if not code.startswith("FIRSTCAUSE")][
        :100
    ]
    storm = [stage.event(0, code, service=f"s{n}") for n in range(50) for code in codes]
    took = measure_batches(stage, 1, storm)
    record(
        "5,000 events of 100 known codes at 50 services without a tenant: the longest batch", max(took), "s"
    )
