"""Files that are no rule files: each mistake is one clear line with its place, and memory is bounded."""

from __future__ import annotations

import gzip
import os
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.firstcause_process import PROGRAM, run_cli

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "component: mine\ncatalog:\n  - {code: MINE, title: Mine, category: DATA, severity: INFO}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD: dict[str, tuple[bytes, str]] = {
    "binary": (bytes(range(256)) * 40, "not UTF-8 text; save the file as UTF-8"),
    "compressed": (gzip.compress(GOOD.encode()), "not UTF-8 text; save the file as UTF-8"),
    "nul": (GOOD.encode() + b"\x00\x00", "a character that YAML does not allow"),
    "utf-16": (GOOD.encode("utf-16"), "not UTF-8 text; save the file as UTF-8"),
    "latin-1": (GOOD.replace("Mine", "Münster").encode("latin-1"), "not UTF-8 text; save the file as UTF-8"),
    "bomb": (BOMB.encode(), "values, aliases counted; split the file"),
    "deep": (b"component: " + b"[" * 100_000, "nested more than 40 levels deep"),
    "tabs": (GOOD.replace("  -", "\t-").encode(), "a tab in the indentation; use spaces"),
    "twice": (GOOD.replace("code: MINE", "code: MINE, code: MINE").encode(), "the key 'code' is given twice"),
    "half-written": (GOOD[: GOOD.index("severity")].encode(), "not YAML"),
    "empty": (b"", "the file is empty"),
    "a merge conflict": (f"<<<<<<< HEAD\n{GOOD}=======\n{GOOD}>>>>>>> edit\n".encode(), ":2:"),
    "a script": (b"component: !!python/object/apply:os.system [ls]\n", "means nothing here; remove it"),
    "a long line": (
        b"component: " + b"x" * 3_000_000,
        ":1:12: the text is longer than 120 characters; shorten it",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_each_is_one_clear_mistake_with_its_place(tmp_path: Path, kind: str) -> None:
    raw, said = BAD[kind]
    (tmp_path / "good.yaml").write_text(GOOD.replace("MINE", "OTHER").replace("mine", "other"))
    (tmp_path / "bad.yaml").write_bytes(raw)
    done = run_cli("rules", "check", str(tmp_path), folder=tmp_path, ok=1)
    mistakes = done.stderr.splitlines()[:-1]
    assert mistakes
    assert all(line.startswith(f"{tmp_path}/bad.yaml:") for line in mistakes)
    assert any(said in line for line in mistakes), done.stderr[:2000]
    assert len(done.stderr) < 5000


def test_a_file_of_any_size_costs_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "big.yaml").open("wb") as file:
        file.write(GOOD.encode())
        file.write(b"# filler\n" * (100 << 20 >> 3))
    limit = 700 << 20
    done = subprocess.run(
        [*PROGRAM, "rules", "check", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 1, done.stderr
    assert f"{tmp_path}/big.yaml:0:0: larger than 4 MiB; split it into several files" in done.stderr


def test_what_is_no_file_is_left_out_or_said(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    done = run_cli("rules", "check", str(tmp_path), folder=tmp_path)
    assert "1 files, 1 entries" in done.stdout
