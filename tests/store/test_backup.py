"""A copy of a store while others write to it: whole, a store itself, readable by nobody else."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from firstcause.errors import StoreError
from firstcause.store.backup import back_up
from firstcause.store.database import Database
from firstcause.store.inbox import pack_events
from firstcause.store.inbox_journal import JournalInbox
from support.scenario_app import Stage

if TYPE_CHECKING:
    from pathlib import Path

CODE = "REDIS_SLOW"


def restored(file: Path) -> Stage:
    return Stage(f"sqlite:///{file}", file.parent)


def test_all_is_in_it_and_it_goes_on_where_the_store_was(stage: Stage, tmp_path: Path) -> None:
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme")
    stage.report(10, "TWILIO_API_FAILURE")
    stage.report(20, "LATER_CAUSE", service="api")
    into, gone = (each["id"] for each in stage.incidents("open")[:2])
    stage.app.incidents.merge(gone, into, stage.time(30), "anna", None)
    stage.deliver(100)
    stage.app.intake.accept([stage.event(101, CODE), stage.event(101, CODE)], stage.time(101))
    file = tmp_path / "copy.db"
    assert back_up(stage.app.database, file) == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0
    assert sorted(each.name for each in tmp_path.iterdir() if "copy.db" in each.name) == ["copy.db"]
    before = stage.incidents()
    with closing(restored(file).app) as copy:
        assert copy.database.read_version() == stage.app.database.read_version()
        assert copy.incidents.list_incidents() == before
        assert copy.monitoring.get_status(stage.time(102))["store"]["waiting"] == 2
        copy.pipeline.triage_all(stage.time(102))
        (slow,) = [each for each in copy.incidents.list_incidents("open") if each["root"]["code"] == CODE]
        assert slow["events"] == 2
    waiting = stage.app.monitoring.get_status(stage.time(102))["store"]["waiting"]
    assert waiting == 2, "the store itself is as it was"
    stage.app.pipeline.triage_all(stage.time(102))


def test_what_is_triaged_just_now_is_in_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just before the journal is copied, and between that and the copy of the store."""
    stage = Stage(f"sqlite:///{tmp_path}/store.db", tmp_path)
    monkeypatch.setattr("firstcause.store.inbox_journal.MAX_SEGMENT_BYTES", 1)
    for _ in range(4):
        stage.app.intake.accept([stage.event(0, CODE)], stage.time(0))
    copied = JournalInbox.copy

    def amid_triage(journal: JournalInbox, folder: Path) -> None:
        # The second look deletes what the first one triaged.
        stage.app.pipeline.triage(stage.time(1), 1)
        stage.app.pipeline.triage(stage.time(1), 1)
        copied(journal, folder)
        stage.app.pipeline.triage(stage.time(1), 1)

    monkeypatch.setattr(JournalInbox, "copy", amid_triage)
    back_up(stage.app.database, tmp_path / "copy.db")
    with closing(restored(tmp_path / "copy.db").app) as copy:
        assert copy.monitoring.get_status(stage.time(2))["store"]["waiting"] == 1
        copy.pipeline.triage_all(stage.time(2))
        assert [each["events"] for each in copy.incidents.list_incidents()] == [4]
    stage.app.close()


def test_beside_a_store_that_is_written_to_all_the_time(tmp_path: Path) -> None:
    stage = Stage(f"sqlite:///{tmp_path}/store.db", tmp_path)
    accepted, over = 0, threading.Event()

    def write() -> None:
        nonlocal accepted
        while not over.is_set():
            stage.app.database.inbox.store(pack_events([stage.event(0, CODE)]), stage.time(0))
            accepted += 1
            stage.app.pipeline.triage(stage.time(0), 3)

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    for number in range(5):
        before = accepted
        back_up(stage.app.database, tmp_path / f"{number}.db")
        counts.append((before, accepted))
    over.set()
    writer.join()
    for number, (least, most) in enumerate(counts):
        with closing(restored(tmp_path / f"{number}.db").app) as copy:
            copy.pipeline.triage_all(stage.time(1))
            held = sum(each["events"] for each in copy.incidents.list_incidents())
            assert least <= held <= most + 1
    stage.app.close()


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    stage = Stage(f"sqlite:///{tmp_path}/store.db", tmp_path)
    database, file = stage.app.database, tmp_path / "copy.db"
    file.write_text("something else")
    with pytest.raises(StoreError, match="is there already; name another file, or say --replace"):
        back_up(database, file)
    assert file.read_text() == "something else"
    back_up(database, file, replace=True)
    with closing(Database(f"sqlite:///{file}")) as copy:
        assert copy.read_version() == database.read_version()
    with pytest.raises(StoreError, match=r"is there already; name another file$"):
        back_up(database, tmp_path / "store.db", replace=True)
    with pytest.raises(StoreError, match="cannot be written: No such file"):
        back_up(database, tmp_path / "nowhere" / "copy.db")
    stage.app.close()
