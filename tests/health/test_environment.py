from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.health.environment import (
    compute_checksums,
    load_checksum_key,
    read_presence,
    read_secret_values,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAMES = ["TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "DATABASE_URL", "BLANK", "BARE"]
TEXT = """
# the application's
TWILIO_AUTH_TOKEN="a secret value"
export DATABASE_URL=postgresql://app:pw@db/app
BLANK=
BARE
OTHER=unasked
"""


def test_only_what_is_set_to_something_is_present(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text(TEXT, encoding="utf-8")
    assert read_presence(NAMES, path) == {
        "BARE": False,
        "BLANK": False,
        "DATABASE_URL": True,
        "TWILIO_ACCOUNT_SID": False,
        "TWILIO_AUTH_TOKEN": True,
    }


def test_our_own_environment_says_nothing_of_the_applications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "ours")
    path = tmp_path / "app.env"
    path.write_text(TEXT, encoding="utf-8")
    assert read_presence(["TWILIO_ACCOUNT_SID"], path) == {"TWILIO_ACCOUNT_SID": False}


def test_a_file_that_is_gone_lost_every_setting(tmp_path: Path) -> None:
    assert read_presence(["B", "A"], tmp_path / "none.env") == {"A": False, "B": False}


def test_without_a_file_named_nothing_is_known() -> None:
    assert read_presence(NAMES, None) == {}


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("A=1\n", encoding="utf-8")
    assert read_presence(["A"], path) == {"A": True}
    path.write_text("", encoding="utf-8")
    assert read_presence(["A"], path) == {"A": False}


def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_bytes(b"A=\xff\xfe\n")
    assert read_presence(["A"], path) == {}
    assert read_secret_values(["A"], path) == []


def test_secret_values_come_from_the_file_and_from_our_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "ours")
    monkeypatch.setenv("UNCATALOGUED", "not asked for")
    path = tmp_path / "app.env"
    path.write_text(TEXT, encoding="utf-8")
    assert read_secret_values(NAMES, path) == ["a secret value", "ours", "postgresql://app:pw@db/app"]
    assert read_secret_values(NAMES, None) == ["ours"]
    assert read_secret_values([], path) == []


def test_a_checksum_tells_two_values_apart_and_nothing_else(tmp_path: Path) -> None:
    path, key = tmp_path / "app.env", b"k" * 32
    path.write_text(TEXT, encoding="utf-8")
    first = compute_checksums(NAMES, path, key)
    assert first.keys() == {"DATABASE_URL", "TWILIO_AUTH_TOKEN"}
    assert all(len(each) == 12 for each in first.values())
    assert compute_checksums(NAMES, path, key) == first
    assert set(compute_checksums(NAMES, path, b"x" * 32).values()).isdisjoint(first.values())
    path.write_text(TEXT.replace("a secret value", "another"), encoding="utf-8")
    changed = compute_checksums(NAMES, path, key)
    assert changed["TWILIO_AUTH_TOKEN"] != first["TWILIO_AUTH_TOKEN"]
    assert changed["DATABASE_URL"] == first["DATABASE_URL"]
    assert compute_checksums(NAMES, None, key) == compute_checksums(NAMES, tmp_path / "none", key) == {}


def test_two_variables_of_one_value_are_not_alike(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("BLANK=same\nBARE=same\n", encoding="utf-8")
    assert len(set(compute_checksums(NAMES, path, b"k" * 32).values())) == 2


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "firstcause"
    key = load_checksum_key(folder)
    assert key is not None
    assert len(key) == 32
    assert load_checksum_key(folder) == key
    assert (folder / "checksum.key").stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    assert load_checksum_key(tmp_path / "file") is None
