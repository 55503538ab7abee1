"""A storm: 50,000 events of one root over 20 codes, 20 services and 3 tenants."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

SERVICES = [f"service-{number}" for number in range(20)]
# A tree of calls: each service is called by the one at a third of its number; all stand on the store.
CALLS = {
    name: [other for place, other in enumerate(SERVICES) if place and (place - 1) // 3 == number] or ["store"]
    for number, name in enumerate(SERVICES)
}
CODES = [f"{kind}_{number}" for number in range(10) for kind in ("LATENCY_HIGH", "ERRORS")]
EVENTS, BATCH = 20_000, 1000


TENANTS = ("acme", "bolt", "cora")


def test_a_storm_is_one_incident_and_one_message_with_the_root_right(stages: Callable[..., Stage]) -> None:
    stage, chance = stages(topology={"depends_on": CALLS}), random.Random(3)
    stage.report(0.0, "LATENCY_HIGH_0", service="service-0", tenant=TENANTS[0])
    for batch in range(EVENTS // BATCH):
        at = 0.2 + batch * 0.5
        events = [
            stage.event(
                at,
                chance.choice(CODES),
                service=chance.choice(SERVICES),
                tenant=chance.choice(TENANTS),
                severity="WARNING",
            )
            for _ in range(BATCH - 10)
        ]
        full = [stage.event(at, "DISK_FULL", service="store", severity="CRITICAL") for _ in range(10)]
        stage.take(at, *chance.sample([*events, *full], BATCH))
        stage.deliver(at)
    stage.deliver(30)
    assert stage.phones[0].summaries == ["first DISK_FULL"], "group_wait of 30 s after the first event"
    incident = stage.incident()
    assert (incident["root"]["code"], incident["root"]["service"]) == ("DISK_FULL", "store")
    assert incident["events"] == EVENTS + 1
    alerts = len(SERVICES) * len(CODES) * len(TENANTS) + 1
    assert len(incident["alerts"]) == alerts
    assert incident["impact"]["companies"] == list(TENANTS)
    stage.deliver(4000)
    assert len(stage.phones[0].summaries) == 1
