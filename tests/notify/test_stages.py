"""The stages that a due message passes, each by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from firstcause.config.notify import Notify
from firstcause.core.model import Impact, Incident, IncidentStatus, Priority, Root, Severity
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import NotificationState
from firstcause.notify import stages
from firstcause.notify.stages import Continue, Defer, Draft, Drop, StageContext
from firstcause.store.outbox import PendingMessage

NIGHT = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)


def make_draft(reason: NotifyReason = NotifyReason.FIRST, **changes: Any) -> Draft:
    row = PendingMessage(
        id=1, incident_id=1, reason=reason, route="phones", notifiers=("phone",), position=0, attempts=0,

    )  # fmt: skip
    fields: dict[str, Any] = {
        "fault": "x", "root": Root(code="X"), "title": "X", "priority": Priority.P2,
        "severity": Severity.WARNING, "impact": Impact(), "opened_at": NIGHT, "stored_id": 1,
    }  # fmt: skip
    return Draft(row, Incident(**(fields | changes)), NotificationState(), position=0)


def make_context(now: datetime = NIGHT) -> StageContext:
    """Build a context of which only settings and time are real; the stages under test use no other."""
    quiet_hours = {"from": "22:00", "to": "07:00"}
    routes = [{"name": "phones", "notifiers": ["phone"], "quiet_hours": quiet_hours}]
    settings = Notify.model_validate({"routes": routes})
    return StageContext(cast("Any", None), now, settings, {}, cast("Any", None))


def test_quiet_hours_defer_what_may_wait() -> None:
    draft = make_draft()
    assert stages.wait_for_quiet_hours(draft, make_context()) == Defer(MORNING, "quiet hours")
    assert stages.wait_for_quiet_hours(draft, make_context(MORNING)) == Continue(draft)


@pytest.mark.parametrize("changes", [{"priority": Priority.P0}, {"drill": True}])
def test_quiet_hours_let_urgent_incidents_and_drills_pass(changes: dict[str, Any]) -> None:
    draft = make_draft(**changes)
    assert stages.wait_for_quiet_hours(draft, make_context()) == Continue(draft)


def test_a_reminder_of_an_acknowledged_incident_is_dropped() -> None:
    draft = make_draft(NotifyReason.REMINDER, acknowledged_at=NIGHT)
    result = stages.check_relevance(draft, make_context())
    assert result == Drop("cancelled", stages.NO_LONGER_RELEVANT)


def test_the_first_message_of_a_resolved_incident_is_dropped() -> None:
    draft = make_draft(status=IncidentStatus.RESOLVED)
    assert isinstance(stages.check_relevance(draft, make_context()), Drop)
    recovery = make_draft(NotifyReason.RESOLVED, status=IncidentStatus.RESOLVED)
    assert stages.check_relevance(recovery, make_context()) == Continue(recovery)


def test_stages_run_in_order_until_one_stops_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []

    def note(draft: Draft, _context: StageContext) -> Continue:
        passed.append("noted")
        return Continue(Draft(draft.row, draft.incident, draft.state, 1, notes=(("what", "why"),)))

    def stop(_draft: Draft, _context: StageContext) -> Drop:
        passed.append("stopped")
        return Drop("given up", "why")

    monkeypatch.setattr(stages, "STAGES", (note, stop, note))
    draft, result = stages.run_stages(make_draft(), make_context())
    assert passed == ["noted", "stopped"]
    assert (draft.position, draft.notes) == (1, (("what", "why"),)), "what earlier stages noted is kept"
    assert result == Drop("given up", "why")


def test_a_message_is_marked_with_its_text_after_all_that_may_stop_it() -> None:
    assert [stage.__name__ for stage in stages.STAGES] == [
        "check_pending",
        "check_relevance",
        "wait_for_quiet_hours",
        "choose_notifier",
        "skip_known",
        "wait_for_notifier",
        "apply_rate_limit",
        "compose",
        "mark_sending",
    ]
