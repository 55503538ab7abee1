"""What waits on disk: in order, bounded, whole, and of this user only."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.client import spool as spools
from firstcause.client.spool import SEGMENT_BYTES, Spool, prepare_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepare_folder("http://127.0.0.1:8377", str(tmp_path / "spool"))


def emptied(spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    while spool.has_pending():
        with spool.claim_oldest() as segment:
            assert segment is not None
            found += segment.lines
            spool.remove(segment)
    return found


lines = st.binary(min_size=1, max_size=50).map(lambda data: data.hex().encode())


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.lists(st.binary(min_size=1, max_size=50).map(bytes.hex).map(str.encode), max_size=5), max_size=8
    )
)
def test_what_goes_in_comes_out_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"), 10**6)
    for batch in batches:
        assert spool.append(batch) == len(batch)
    assert emptied(spool) == [line for batch in batches for line in batch]


def test_a_file_is_not_too_large_for_one_request(folder: Path) -> None:
    spool = Spool(folder, 10**9)
    written = [str(number).encode() * 2000 for number in range(300)]
    for line in written:
        spool.append([line])
    files = list(folder.glob("[0-9]*"))
    assert len(files) > 2
    assert max(file.stat().st_size for file in files) < SEGMENT_BYTES + 10_000
    assert emptied(spool) == written


def test_what_is_being_sent_is_not_written_to(folder: Path) -> None:
    spool = Spool(folder, 10**6)
    spool.append([b"a"])
    with spool.claim_oldest() as segment:
        assert segment is not None
        assert segment.lines == [b"a"]
        spool.append([b"b"])
        with Spool(folder, 10**6).claim_oldest() as another:
            assert another is None, "one process at a time"
        spool.remove(segment)
    assert emptied(spool) == [b"b"]


def test_the_bound_is_of_all_together(folder: Path) -> None:
    spool = Spool(folder, 100)
    assert spool.append([b"x" * 39] * 2) == 2
    assert Spool(folder, 100).append([b"y" * 19, b"z" * 19]) == 1
    assert spool.append([b"1"]) == 0


def test_a_line_that_was_torn_takes_no_other_along(folder: Path) -> None:
    spool = Spool(folder, 10**6)
    spool.append([b"a", b"b"])
    (file,) = folder.glob("[0-9]*")
    with file.open("ab") as torn:
        torn.write(b"to")
    spool.append([b"c"])
    assert emptied(spool) == [b"a", b"b", b"c"]


def test_a_clock_that_was_put_back_changes_no_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(folder, 10**6)
    spool.append([b"a"])
    with spool.claim_oldest():
        pass  # sealed, and not sent
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    spool.append([b"b"])
    assert emptied(spool) == [b"a", b"b"]


def test_what_is_a_week_old_is_given_up_and_counted(folder: Path) -> None:
    spool = Spool(folder, 10**6)
    spool.append([b"a", b"b"])
    assert spool.expire(time.time() + 6 * 86400) == 0
    assert spool.expire(time.time() + 8 * 86400) == 2
    assert not spool.has_pending()


def test_a_lock_that_is_held_is_not_waited_for_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "_LOCK_TIMEOUT_S", 0.05)
    with spools._hold_lock(folder / "lock", 0), pytest.raises(TimeoutError, match="held by another process"):
        Spool(folder, 100).append([b"a"])


def test_others_cannot_read_it_and_another_daemon_has_another(folder: Path, tmp_path: Path) -> None:
    Spool(folder, 100).append([b"a"])
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    assert prepare_folder("http://127.0.0.1:1", str(tmp_path / "spool")) != folder


def test_a_folder_that_somebody_else_put_there_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        prepare_folder("http://127.0.0.1:1", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"firstcause-spool-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match="not a folder of this user's own"):
        prepare_folder("http://x", None)


def test_systemd_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/var/lib/other")
    assert prepare_folder("http://x", None).parent == tmp_path / "firstcause-spool"


def test_without_a_home_it_is_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert prepare_folder("http://x", None).parent == tmp_path / f"firstcause-spool-{os.getuid()}"
