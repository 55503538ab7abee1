"""The strongest reason of an incident's root stays, and only as long as it is about that root."""

from __future__ import annotations

from datetime import UTC, datetime

from firstcause.core.incidents.root_verdict import keep_root_verdict, restore_root_verdict
from firstcause.core.model import (
    Alert,
    Impact,
    Incident,
    IncidentStatus,
    Priority,
    Root,
    Severity,
    Verdict,
    VerdictKind,
)

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def verdict(because: str, confidence: float, kind: VerdictKind = VerdictKind.ROOT_CAUSE) -> Verdict:
    return Verdict(
        rule="r", file="r.yaml", line=1, verdict=kind, of="f1", because=because, confidence=confidence
    )


def incident(kept: Verdict | None = None, fault: str = "fault", **changes: object) -> Incident:
    return Incident.model_validate(
        {
            "fault": fault, "root": Root(code="A", service=None, tenant=None), "title": "A",
            "priority": Priority.P1,
            "severity": Severity.CRITICAL, "impact": Impact(), "opened_at": NOW, "root_verdict": kept,
            **changes,
        }
    )  # fmt: skip


STRONG, WEAK = verdict("a variable is not set", 0.95), verdict("it is active", 0.6)


def test_the_strongest_stays_while_the_incident_has_that_root() -> None:
    assert keep_root_verdict(None, incident(), [WEAK]).root_verdict == WEAK
    assert keep_root_verdict(incident(WEAK), incident(), [STRONG]).root_verdict == STRONG
    assert keep_root_verdict(incident(STRONG), incident(), [WEAK]).root_verdict == STRONG
    assert keep_root_verdict(incident(STRONG), incident(), []).root_verdict == STRONG
    assert keep_root_verdict(incident(STRONG), incident(fault="other"), [WEAK]).root_verdict == WEAK
    ended = incident(STRONG, status=IncidentStatus.RESOLVED)
    assert keep_root_verdict(ended, incident(), [WEAK]).root_verdict == WEAK, "it is open again"


def test_an_alert_gets_it_back_at_the_end() -> None:
    impact = verdict("all tenants", 1.0, VerdictKind.IMPACT)
    alert = Alert(
        fingerprint="f1", fault="fault", code="A", catalogued=True, title="A", severity=Severity.CRITICAL,
        component="c", first_seen=NOW, last_seen=NOW, count=1, verdicts=(WEAK, impact),
    )  # fmt: skip
    assert restore_root_verdict(alert, incident(STRONG)).verdicts == (STRONG, impact)
    assert restore_root_verdict(alert, incident(WEAK)) is alert
    assert restore_root_verdict(alert, incident()) is alert
    other = alert.model_copy(update={"fingerprint": "f2"})
    assert restore_root_verdict(other, incident(STRONG)) is other
