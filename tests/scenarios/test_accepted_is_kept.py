"""Nothing accepted is lost or counted twice, whatever else goes wrong. On both databases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstcause import Enrichment
from firstcause.core.grouping.fingerprint import identify
from firstcause.errors import IntakeError, StoreError
from firstcause.intake.writer import BacklogLimit, GroupCommitWriter
from firstcause.store.inbox import pack_events
from support.firstcause_process import wait_until
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from firstcause.core.model import Event


def test_the_same_id_twice_is_one_occurrence(stage: Stage) -> None:
    event = stage.event(0, "REDIS_SLOW")
    stage.take(0, event, event)
    stage.take(1, event)
    assert stage.incident()["events"] == 1


def test_an_event_that_breaks_triage_is_set_aside_and_the_rest_go_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(event: Event, *others: Any) -> Any:
        if event.code == "POISON":
            raise ZeroDivisionError("poison")
        return identify(event, *others)

    monkeypatch.setattr("firstcause.pipeline.processor.identify", picky)
    stage.report(0, "REDIS_SLOW", "POISON", "DB_QUERY_SLOW")
    codes = {alert["code"] for one in stage.incidents() for alert in one["alerts"]}
    assert codes == {"REDIS_SLOW", "DB_QUERY_SLOW"}
    assert [row["problem"] for row in stage.rows("event") if row["problem"]] == ["ZeroDivisionError: poison"]


def test_an_enrichment_that_fails_loses_nothing(stage: Stage) -> None:
    def enrich(event: Event) -> Enrichment:
        if event.code == "REDIS_SLOW":
            raise RuntimeError("sorry")
        return Enrichment(tenant="acme", tags={"region": "eu"})

    stage.enrichment = enrich
    stage.report(0, "REDIS_SLOW", "DB_QUERY_SLOW")
    tenants = {alert["code"]: alert["tenant"] for one in stage.incidents() for alert in one["alerts"]}
    assert tenants == {"REDIS_SLOW": None, "DB_QUERY_SLOW": "acme"}
    assert "sorry" in stage.app.plugins.states()[0].problems[0]


def test_two_that_triage_one_store_open_one_incident_and_count_once(stages: Callable[..., Stage]) -> None:
    first, second = stages(), stages()
    first.app.intake.accept(
        [first.event(0, "REDIS_CONNECTION_ERROR", tenant=f"t{n % 7}") for n in range(700)], first.time(0)
    )
    errors: list[BaseException] = []

    def work(one: Stage) -> None:
        try:
            while one.app.pipeline.triage(one.time(1), 50).events:
                pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    incident = first.incident()
    assert incident["events"] == 700
    assert len(incident["alerts"]) == 7


def anything(stage: Stage) -> BacklogLimit:
    return BacklogLimit(stage.app.database, 0)


def test_the_acceptor_answers_only_what_is_stored(stage: Stage) -> None:
    woken = threading.Event()
    acceptor = GroupCommitWriter(stage.app.database.inbox, lambda: stage.time(0), woken.set, anything(stage))
    futures = [acceptor.submit(pack_events([stage.event(0, "REDIS_SLOW")])) for _ in range(100)]
    for future in futures:
        future.result(timeout=10)
    assert stage.app.monitoring.get_status(stage.time(0))["store"]["waiting"] == 100
    assert woken.is_set()
    last = acceptor.submit(pack_events([stage.event(1, "REDIS_SLOW")]))
    acceptor.close()
    last.result(timeout=0)
    assert stage.app.monitoring.get_status(stage.time(1))["store"]["waiting"] == 101


def test_more_than_memory_should_hold_is_refused_and_taken_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstcause.intake.writer._MAX_PENDING_BYTES", 100)
    held = threading.Event()

    def clock() -> datetime:
        held.wait(10)
        return stage.time(0)

    acceptor = GroupCommitWriter(stage.app.database.inbox, clock, lambda: None, anything(stage))
    first = acceptor.submit(pack_events([stage.event(0, "REDIS_SLOW", message="x" * 200)]))
    with pytest.raises(IntakeError, match="retry in a moment"):
        acceptor.submit(pack_events([stage.event(0, "REDIS_SLOW")]))
    held.set()
    first.result(timeout=10)
    wait_until(lambda: acceptor.stored_count == 1, "the first to be stored")
    later = wait_until(lambda: _submitted(acceptor, stage), "room")
    later.result(timeout=10)
    acceptor.close()


def _submitted(acceptor: GroupCommitWriter, stage: Stage) -> Future[None] | None:
    try:
        return acceptor.submit(pack_events([stage.event(0, "REDIS_SLOW")]))
    except IntakeError:
        return None


def test_what_leaves_the_inbox_does_so_together_with_what_triage_made_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.app.intake.accept([stage.event(0, "REDIS_SLOW"), stage.event(0, "REDIS_SLOW")], stage.time(0))

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("firstcause.store.event_counts.record", full)
        with pytest.raises(StoreError):
            stage.app.pipeline.triage(stage.time(0))
    assert stage.rows("event") == []
    assert stage.app.monitoring.get_status(stage.time(1))["store"]["waiting"] == 2
    stage.app.pipeline.triage_all(stage.time(1))
    assert stage.app.monitoring.get_status(stage.time(1))["store"]["waiting"] == 0
    assert stage.incident()["events"] == 2
    assert len(stage.rows("event")) == 2


CODES = (
    "TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "DB_CONNECTION_ERROR",
    "AI_AGENT_INIT_FAILURE", "REDIS_SLOW", "UNHEARD_OF",
)  # fmt: skip
steps = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(CODES),
            st.sampled_from([None, "acme", "bolt"]),
            st.integers(0, 9).map(lambda n: n < 2),
        ),
        min_size=1,
        max_size=6,
    ),
    max_size=8,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_comes_the_books_balance(tmp_path_factory: pytest.TempPathFactory, batches: Any) -> None:
    folder: Path = tmp_path_factory.mktemp("books")
    stage = Stage(f"sqlite:///{folder}/x.db", folder)
    reported = 0
    try:
        for at, batch in enumerate(batches):
            stage.take(
                at, *(stage.event(at, code, tenant=tenant, resolved=over) for code, tenant, over in batch)
            )
            reported += sum(not over for *_, over in batch)
            _balanced(stage, reported)
    finally:
        stage.app.close()


def _balanced(stage: Stage, reported: int) -> None:
    rows = {row["fingerprint"]: row for row in stage.rows("alert") if row["resolved_at"] is None}
    opened = {int(one["id"]) for one in stage.incidents("open")}
    assert {row["incident_id"] for row in rows.values()} == opened, (
        "an open incident for all that burns, and no other"
    )
    assert sum(row["count"] for row in stage.rows("alert")) == reported
    for row in rows.values():
        cause, seen = row, set()
        while cause["caused_by"] is not None:
            assert cause["fingerprint"] not in seen, "a circle"
            seen.add(cause["fingerprint"])
            above = rows[cause["caused_by"]]
            assert above["tenant"] in {None, cause["tenant"]}, "another tenant's error"
            cause = above
        assert (cause["role"], cause["incident_id"]) == ("root", row["incident_id"])


def test_who_looks_after_health_does_not_work_off_a_storm(stage: Stage) -> None:
    """Else nothing is probed for as long as it lasts."""
    stage.app.intake.accept([stage.event(0, "REDIS_SLOW")], stage.time(0))
    stage.app.health.report_readings({}, stage.time(0))
    stage.app.health.take_snapshot(stage.time(0))
    stage.app.wake = lambda: None
    stage.app.health.check(stage.time(0))
    assert (
        stage.app.monitoring.get_status(stage.time(0))["store"]["waiting"]
        == stage.app.monitoring.collect_metrics().pending_events
        >= 1
    )
    assert stage.incidents() == []
    stage.app.wake = None
    stage.app.health.check(stage.time(1))
    assert "REDIS_SLOW" in {each["root"]["code"] for each in stage.incidents()}
