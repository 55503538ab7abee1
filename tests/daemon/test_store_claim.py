"""The daemon's claim on its store: lost, taken again, or another daemon's."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from firstcause.daemon.store_claim import MAX_UNCONFIRMED_S, StoreClaim
from firstcause.daemon.supervisor import Daemon
from firstcause.errors import StoreError, StoreHeldError, StoreUnavailableError
from firstcause.store.database import Database
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.scenario_app import Stage


@pytest.fixture
def other(stage: Stage) -> Iterator[Database]:
    """The store as another daemon has it."""
    with contextlib.closing(Database(stage.app.database.url)) as database:
        yield database


def take_over(stage: Stage, other: Database, stack: contextlib.ExitStack) -> None:
    """End the daemon's lock, and take it before the daemon notices."""
    if other.is_sqlite:
        Path(f"{other.engine.url.database}.lock").unlink()
    else:
        with other.write() as conn:
            conn.execute(sa.text("UPDATE store_claim SET expires_at = now() - interval '1 s'"))

    def take() -> bool:
        with contextlib.suppress(StoreError):
            stack.enter_context(other.hold_daemon_lock())
            return True
        return False

    wait_until(take, "the lock")


def test_a_daemon_that_lost_its_store_to_another_one_stops_triage_and_says_so(
    stage: Stage, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The daemon looks when the test says so; otherwise it could take the lock back first.
    may_look = threading.Event()

    def watch(claim: StoreClaim, stopping: threading.Event) -> None:
        if may_look.is_set():
            claim.confirm()
        stopping.wait(0.02)

    monkeypatch.setattr(StoreClaim, "watch", watch)
    daemon = Daemon(stage.app)
    daemon.start()
    try:
        stage.app.intake.accept([stage.event(0, "A")], stage.time(0))
        wait_until(lambda: len(stage.rows("event")) == 1, "triage")
        with contextlib.ExitStack() as stack:
            take_over(stage, other, stack)
            may_look.set()
            loops = stage.app.self_check.loops

            def failing() -> set[str]:
                return {
                    state.name
                    for state in loops.list_states()
                    if state.failure is not None and "another firstcause daemon runs" in state.failure.error
                }

            wait_until(lambda: {"triage", "deliver", "store-lock"} <= failing(), "the loops to stop")
            stage.app.intake.accept([stage.event(1, "B")], stage.time(1))
            codes = {each.code for each in stage.app.monitoring.find_conditions(stage.time(1))}
            assert "FIRSTCAUSE_TRIAGE_FAILING" in codes
            assert len(stage.rows("event")) == 1, "what is accepted waits for the other daemon"
        wait_until(lambda: len(stage.rows("event")) == 2, "triage, once the other daemon has ended")
        wait_until(lambda: not failing(), "the loops to go on")
    finally:
        daemon.stop()


def test_a_lost_lock_is_taken_again_and_logged(
    stage: Stage, other: Database, caplog: pytest.LogCaptureFixture
) -> None:
    claim = StoreClaim(stage.app)
    claim.take(threading.Event())
    with contextlib.ExitStack() as stack:
        take_over(stage, other, stack)
        with pytest.raises(StoreError, match="another firstcause daemon runs"):
            claim.confirm()
        with pytest.raises(StoreError, match="another firstcause daemon runs"):
            claim.require()

    def confirm() -> bool:
        with contextlib.suppress(StoreError):
            claim.confirm()
            return True
        return False

    wait_until(confirm, "the lock")
    claim.require()
    (record,) = caplog.records
    assert "was lost, and is taken again" in record.getMessage()
    with pytest.raises(StoreError, match="another firstcause daemon runs"):
        other.hold_daemon_lock().__enter__()
    claim.release()


def test_a_store_that_does_not_answer_is_no_longer_claimed(stage: Stage) -> None:
    now = [0.0]
    claim = StoreClaim(stage.app, lambda: now[0])
    claim.take(threading.Event())
    now[0] = MAX_UNCONFIRMED_S
    claim.require()
    now[0] += 1
    with pytest.raises(StoreUnavailableError, match=r"has not answered for 11 s; check that"):
        claim.require()
    claim.confirm()
    claim.require()
    claim.release()


def test_what_a_daemon_writes_after_it_lost_its_store_is_refused(stage: Stage, other: Database) -> None:
    claim = StoreClaim(stage.app)
    claim.take(threading.Event())
    database = stage.app.database
    with contextlib.ExitStack() as stack:
        with database.fence_writes(), database.write():
            pass
        take_over(stage, other, stack)
        # It has not noticed yet.
        claim.require()
        with (
            database.fence_writes(),
            pytest.raises(StoreHeldError, match="another firstcause daemon runs"),
            database.write(),
        ):
            pytest.fail("the transaction began")
        with database.write():
            """What a person decides here is no work of the daemon."""
    claim.release()


def test_a_daemon_takes_the_claim_of_one_that_ended_elsewhere_without_a_word(stage: Stage) -> None:
    if stage.app.database.is_sqlite:
        pytest.skip("SQLite's lock ends with its process")
    with stage.app.database.write() as conn:
        conn.execute(
            sa.text(
                "INSERT INTO store_claim VALUES (1, 7, 'gone|another machine|12|34|x', now(),"
                " clock_timestamp() + interval '2 s')"
            )
        )
    claim = StoreClaim(stage.app)
    claim.take(threading.Event())
    claim.require()
    claim.release()
    claim.take(threading.Event())
    claim.release()


def test_a_daemon_that_lives_elsewhere_keeps_its_claim(stage: Stage, other: Database) -> None:
    with other.hold_daemon_lock(), pytest.raises(StoreHeldError, match="another firstcause daemon runs"):
        StoreClaim(stage.app).take(threading.Event())
