"""The inbox as files: what happens to them that does not happen to a table."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import resource
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstcause.errors import StoreError
from firstcause.store import inbox_journal
from firstcause.store.database import Database
from firstcause.store.inbox import EventPayload
from firstcause.store.journal_segment import Segment
from firstcause.store.tables import journal as places

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

KILLED_WRITER = """
import os, sys, time
from datetime import UTC, datetime
from firstcause.store.database import Database
from firstcause.store.inbox import EventPayload

def hang(fd):
    print("written", flush=True)
    time.sleep(300)

os.fdatasync = hang
database = Database(sys.argv[1])
database.inbox.store([EventPayload(b"{}", 1, key="unanswered")], datetime.now(UTC))
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/x.db")
    made.prepare()
    yield made
    made.close()


def store(database: Database, *names: str) -> None:
    database.inbox.store([EventPayload(json.dumps([name]).encode(), 1, key=name) for name in names], NOW)


def taken(database: Database, limit: int = 1000) -> list[str]:
    """What one batch has, taken."""
    with database.read() as conn:
        batch = database.inbox.load_pending(conn, limit)
    if batch.payloads:
        with database.write() as conn:
            batch.mark_processed(conn)
    return [each.payload.key for each in batch.payloads]


def all_taken(database: Database) -> list[str]:
    found: list[str] = []
    while more := taken(database):
        found += more
    return found


def waiting(database: Database) -> int:
    with database.read() as conn:
        return database.inbox.count_pending(conn)


def segments(database: Database) -> list[Path]:
    return sorted(Path(f"{database.engine.url.database}-accepted").glob("*.frames"))


def test_what_is_written_while_the_reader_searches_is_not_jumped_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, "first")
    search = Segment.find_next_frame

    def search_after_two_more(segment: Segment, offset: int) -> int | None:
        if not waiting_names:
            waiting_names.extend(["second", "third"])
            store(database, "second")
            store(database, "third")
        return search(segment, offset)

    waiting_names: list[str] = []
    monkeypatch.setattr(Segment, "find_next_frame", search_after_two_more)
    assert all_taken(database) == ["first", "second", "third"]
    waiting_names.clear()
    store(database, "fourth")
    assert waiting(database) == 3, "counted are all three as well"
    assert all_taken(database) == ["fourth", "second", "third"]


def test_a_reader_beside_a_writer_misses_nothing(database: Database) -> None:
    names = [str(number) for number in range(3000)]
    writer = threading.Thread(target=lambda: list(map(store, [database] * len(names), names)))
    writer.start()
    found: list[str] = []
    while writer.is_alive():
        found += taken(database, 7)
    writer.join()
    assert found + all_taken(database) == names


def test_files_are_begun_anew_and_go_when_all_of_them_is_triaged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_journal, "MAX_SEGMENT_BYTES", 300)
    names = [f"n{number:02}" for number in range(40)]
    for name in names:
        store(database, name)
    assert len(segments(database)) > 5
    assert waiting(database) == 40
    assert taken(database, 2) == names[:2]
    assert all_taken(database) == names[2:]
    assert waiting(database) == 0
    left = segments(database)
    assert len(left) <= 1, "that which is still written to"
    store(database, "later")
    assert all_taken(database) == ["later"]
    with database.read() as conn:
        assert len(conn.execute(sa.select(places)).all()) <= 2, "files that are gone leave no row"


def test_what_waits_is_there_for_the_next_process_and_its_file_goes_then(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store(database, "a", "b")
    assert taken(database, 1) == ["a"]
    database.close()
    with contextlib.closing(Database(database.url)) as after:
        store(after, "c")
        assert len(segments(after)) == 2
        assert all_taken(after) == ["b", "c"]
        assert len(segments(after)) == 1
    assert caplog.records == []


def test_several_processes_write_and_each_event_is_taken_once(database: Database) -> None:
    with contextlib.closing(Database(database.url)) as other:
        for number in range(20):
            store(database, f"a{number}")
            store(other, f"b{number}")
        assert waiting(database) == waiting(other) == 40
        found = [*taken(other, 15), *all_taken(database)]
        assert sorted(found) == sorted(f"{who}{number}" for who in "ab" for number in range(20))
        assert all_taken(other) == []
        assert len(segments(database)) == 2, "both are still written to"
    all_taken(database)
    assert len(segments(database)) == 1


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_cut_off_anywhere_all_that_was_acknowledged_before_is_there(
    database: Database, caplog: pytest.LogCaptureFixture, cut: float
) -> None:
    all_taken(database)
    database.inbox.close()
    all_taken(database)
    ends = []
    for number in range(5):
        store(database, f"n{number}", "x" * number)
        ends.append(segments(database)[0].stat().st_size)
    database.inbox.close()
    (segment,) = segments(database)
    at = int(cut * ends[-1])
    os.truncate(segment, at)
    whole = [number for number, end in enumerate(ends) if end <= at]
    caplog.clear()
    assert all_taken(database) == [name for number in whole for name in (f"n{number}", "x" * number)]
    assert segments(database) == []
    torn = at - (ends[whole[-1]] if whole else 0)
    assert len(caplog.records) == (torn > 0)
    assert not torn or f"{segment.name} ends with {torn} bytes that were cut off before they" in caplog.text


def test_what_the_disk_garbled_is_passed_over_and_said(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        store(database, f"n{number}")
    (segment,) = segments(database)
    content = bytearray(segment.read_bytes())
    content[content.index(b"n1") + 3] ^= 0xFF
    segment.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        assert all_taken(database) == ["n0", "n2", "n3"]
    assert "that cannot be read; triage continues after them" in caplog.text


def test_a_full_disk_is_said_and_what_was_there_stays(database: Database) -> None:
    store(database, "before")
    size = segments(database)[0].stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, hard))
    try:
        with pytest.raises(StoreError, match=r"the inbox in .*x.db-accepted cannot be used: File too large"):
            store(database, "lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store(database, "after")
    assert all_taken(database) == ["before", "after"]


def test_a_frame_is_not_read_before_it_is_synced(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store(database, "before")
    counts: list[int] = []

    def fail_to_sync(fd: int) -> None:
        # The bytes of the frame are in the file at this moment.
        assert os.fstat(fd).st_size > size
        counts.append(waiting(database))
        assert all_taken(database) == ["before"]
        raise OSError(errno.EIO, "Input/output error")

    size = segments(database)[0].stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail_to_sync)
        with pytest.raises(StoreError, match="Input/output error"):
            store(database, "refused")
    assert counts == [1]
    assert all_taken(database) == []
    store(database, "after")
    assert all_taken(database) == ["after"]


def test_a_frame_that_another_process_has_not_synced_is_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer refuses it in the end, and the sender sends it again."""
    store(database, "before")
    seen: list[object] = []

    def fail_to_sync(fd: int) -> None:
        seen.extend([waiting(other), all_taken(other)])
        raise OSError(errno.EIO, "Input/output error")

    with contextlib.closing(Database(database.url)) as other:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail_to_sync)
            with pytest.raises(StoreError, match="Input/output error"):
                store(database, "again")
        assert seen == [1, ["before"]]
        store(database, "again")
        assert all_taken(other) == ["again"]


def test_a_frame_is_read_after_its_writer_was_killed_before_the_answer(
    database: Database, program: Callable[..., subprocess.Popen[str]]
) -> None:
    """Nobody holds its bytes locked any more; the sender got no answer and may send it again."""
    writer = program(KILLED_WRITER, database.url)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    assert all_taken(database) == []
    writer.kill()
    writer.wait()
    assert all_taken(database) == ["unanswered"]


def test_a_file_that_somebody_deleted_is_not_written_to_any_more(database: Database) -> None:
    store(database, "gone with its file")
    segments(database)[0].unlink()
    store(database, "after")
    assert all_taken(database) == ["after"]


def test_a_file_that_is_taken_for_left_as_it_is_begun_is_not_used(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    late: list[int] = []

    def flock(fd: int, operation: int) -> None:
        if not late:
            late.append(fd)
            # Another process looks for something to triage between the file's making and its locking.
            with contextlib.closing(Database(database.url)) as other:
                assert all_taken(other) == []
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    store(database, "a")
    assert late
    assert all_taken(database) == ["a"]
