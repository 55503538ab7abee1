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
from firstcause.errors import StoreError, StoreUnavailableError
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
            conn.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database"
                    " ON pg_database.oid = database WHERE locktype = 'advisory'"
                    " AND datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

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
    claim.take()
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

    # Postgres notices that a session has ended a moment later.
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
    claim.take()
    now[0] = MAX_UNCONFIRMED_S
    claim.require()
    now[0] += 1
    with pytest.raises(StoreUnavailableError, match=r"has not answered for 21 s; check that"):
        claim.require()
    claim.confirm()
    claim.require()
    claim.release()
