"""What a group of alerts changes of an incident, as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.incidents.assembly import AlertGroup
from firstcause.core.incidents.incident_change import IncidentChange, plan_group
from firstcause.core.model import (
    Alert,
    Impact,
    Incident,
    IncidentStatus,
    Priority,
    Role,
    Severity,
    Verdict,
    VerdictKind,
)

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=10)


def make_alert(number: int, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "fingerprint": f"f{number}", "fault": f"fault{number}", "code": f"CODE_{number}", "catalogued": True,
        "title": f"Title {number}", "severity": Severity.CRITICAL, "component": f"component{number}",
        "first_seen": START + timedelta(seconds=number), "last_seen": START, "count": 1, "stored_id": number,
    }  # fmt: skip
    return Alert(**(fields | changes))


def make_verdict(kind: VerdictKind, because: str = "reasons", **changes: Any) -> Verdict:
    fields = {
        "rule": "r",
        "of": "f1",
        "file": "r.yaml",
        "line": 1,
        "verdict": kind,
        "because": because,
        "confidence": 1.0,
    }
    return Verdict.model_validate(fields | changes)


def plan(
    alerts: list[Alert],
    before: Incident | None = None,
    causes: dict[str, str | None] | None = None,
    verdicts: dict[str, list[Verdict]] | None = None,
    absorbed: tuple[int, ...] = (),
    **options: Any,
) -> IncidentChange:
    """Plan one group; its first alert is the root unless `causes` says otherwise."""
    root = alerts[0].fingerprint
    causes = causes or {alert.fingerprint: None if alert.fingerprint == root else root for alert in alerts}
    group = AlertGroup(
        fault=alerts[0].fault,
        members=tuple(alert.fingerprint for alert in alerts),
        roots=tuple(name for name, cause in causes.items() if cause is None),
        target=before.stored_id if before else None,
        absorbed=absorbed,
    )
    by_fingerprint = {alert.fingerprint: alert for alert in alerts}
    return plan_group(before, group, by_fingerprint, causes, verdicts or {}, NOW, **options)


def stored(change: IncidentChange, incident_id: int = 7) -> tuple[Incident, list[Alert]]:
    """Return the incident and the alerts as the store has them after the change."""
    change = change.with_id(incident_id)
    return change.after, list(change.changed_alerts)


def test_a_new_incident_has_no_id_before_it_is_stored() -> None:
    change = plan([make_alert(1), make_alert(2)])
    assert (change.before, change.after.stored_id, change.after.opened_at) == (None, None, NOW)
    assert [alert.incident_id for alert in change.changed_alerts] == [None, None]
    assert [alert.role for alert in change.changed_alerts] == [Role.ROOT, Role.CASCADE]
    incident, alerts = stored(change)
    assert (incident.stored_id, {alert.incident_id for alert in alerts}) == (7, {7})
    assert change.components == {"component1", "component2"}


def test_an_incident_keeps_the_time_when_it_was_opened_and_notes_what_joins() -> None:
    incident, (alert,) = stored(plan([make_alert(1)]))
    later = plan([alert, make_alert(2), make_alert(3, code="CODE_2")], incident)
    assert later.after.opened_at == incident.opened_at
    assert [note.what for note in later.notes] == ["CODE_2 joined (2 alerts)"]
    assert [changed.fingerprint for changed in later.changed_alerts] == ["f2", "f3"]


def test_only_touched_alerts_are_saved_where_nothing_else_changed() -> None:
    incident, alerts = stored(plan([make_alert(1), make_alert(2)]))
    change = plan(alerts, incident, touched=["f2"])
    assert (change.needs_save, change.is_notable) == (False, False)
    assert [alert.fingerprint for alert in change.changed_alerts] == ["f2"]


def test_facts_that_only_grew_older_change_nothing() -> None:
    def of_age(seconds: int) -> dict[str, list[Verdict]]:
        return {"f1": [make_verdict(VerdictKind.ROOT_CAUSE, facts={"fact": {"kind": "k", "age_s": seconds}})]}

    incident, alerts = stored(plan([make_alert(1)], verdicts=of_age(1)))
    assert plan(alerts, incident, verdicts=of_age(61)).changed_alerts == ()


def test_a_late_root_becomes_the_root_and_says_why() -> None:
    incident, (effect,) = stored(plan([make_alert(2)]))
    verdicts = {"f1": [make_verdict(VerdictKind.ROOT_CAUSE, "Twilio is down")]}
    change = plan([make_alert(1), effect], incident, verdicts=verdicts)
    assert change.after.root.code == "CODE_1"
    assert change.notes[0] == ("root is now CODE_1, no longer CODE_2", "Twilio is down")
    assert {alert.fingerprint: alert.caused_by for alert in change.changed_alerts} == {"f1": None, "f2": "f1"}


def test_an_acknowledgement_lasts_until_the_priority_rises() -> None:
    incident, alerts = stored(plan([make_alert(1)]))
    acknowledged = incident.model_copy(update={"acknowledged_at": NOW, "acknowledged_by": "ann"})
    assert plan(alerts, acknowledged).after.acknowledged_by == "ann"
    worse = {"f1": [make_verdict(VerdictKind.IMPACT, impact=Impact(priority=Priority.P0))]}
    change = plan(alerts, acknowledged, verdicts=worse)
    assert change.after.acknowledged_by is None
    assert [note.what for note in change.notes] == ["priority P2 -> P0", "no longer acknowledged"]


def test_a_resolved_incident_is_open_again() -> None:
    incident, alerts = stored(plan([make_alert(1)]))
    ended = incident.model_copy(update={"status": IncidentStatus.RESOLVED, "resolved_at": NOW})
    change = plan(alerts, ended)
    assert (change.after.status, change.after.resolved_at) == (IncidentStatus.OPEN, None)
    assert change.notes[0].what == "open again: CODE_1 is back"


def test_absorbed_incidents_are_one_line_and_other_losers_one_each() -> None:
    incident, (alert,) = stored(plan([make_alert(1)]))
    change = plan(
        [alert, make_alert(2, incident_id=3), make_alert(3, incident_id=4)], incident, absorbed=(3,)
    )
    assert change.notes[0].what == "merged incident 3 into this one"
    assert [incident_id for incident_id, _note in change.moved] == [4]


def test_ended_alerts_still_count_for_whom_the_incident_hit() -> None:
    incident, alerts = stored(plan([make_alert(1, tenant="acme")]))
    change = plan(alerts, incident, ended_alerts=[make_alert(2, tenant="bolt", resolved_at=NOW)])
    assert change.after.impact.companies == ("acme", "bolt")


@st.composite
def causes_of_alerts(draw: st.DrawFn) -> tuple[list[Alert], dict[str, str | None]]:
    """Up to eight alerts, each caused by the root or by one before it."""
    size = draw(st.integers(1, 8))
    alerts = [
        make_alert(
            number,
            tenant=draw(st.sampled_from([None, "acme", "bolt"])),
            incident_id=draw(st.sampled_from([None, 7, 8])),
            severity=draw(st.sampled_from(list(Severity))),
        )
        for number in range(size)
    ]
    causes: dict[str, str | None] = {"f0": None}
    for number in range(1, size):
        causes[f"f{number}"] = f"f{draw(st.integers(0, number - 1))}"
    return alerts, causes


@given(causes_of_alerts(), st.sets(st.sampled_from([f"f{number}" for number in range(8)])))
def test_every_member_is_attributed_and_a_second_look_changes_nothing(
    drawn: tuple[list[Alert], dict[str, str | None]], touched: set[str]
) -> None:
    alerts, causes = drawn
    change = plan(alerts, causes=causes, touched=touched)
    incident, members = stored(change)
    assert {alert.fingerprint for alert in members} == {alert.fingerprint for alert in alerts}
    for alert in members:
        assert alert.caused_by == causes[alert.fingerprint]
        assert alert.role is (Role.ROOT if alert.caused_by is None else Role.CASCADE)
    again = plan(members, incident, causes=causes)
    assert not again.needs_save
    assert not again.is_notable
    assert (again.changed_alerts, again.notes, again.moved) == ((), (), ())
