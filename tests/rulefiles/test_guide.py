"""docs/rules.md, done as it is written: its files are saved, its commands run, its output compared."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

from support.firstcause_process import run_cli

GUIDE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
FILE = re.compile(r"`(rules/site/[\w-]+\.yaml)`[^`]*\n\n```yaml\n(# yaml-language-server.*?)```", re.DOTALL)
SESSION = re.compile(r"```console\n(.*?)```", re.DOTALL)


def test_the_guide_works_as_it_is_written(tmp_path: Path) -> None:
    run_cli("init", folder=tmp_path)
    (tmp_path / "rules" / "site" / "my-service.yaml").unlink()
    steps = sorted([*FILE.finditer(GUIDE), *SESSION.finditer(GUIDE)], key=lambda found: found.start())
    assert sum(step.re is FILE for step in steps) == 4
    for step in steps:
        if step.re is FILE:
            (tmp_path / step[1]).write_text(step[2])
        else:
            run(step[1], tmp_path)


def run(session: str, folder: Path) -> None:
    for command, wanted in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
        program, *args = shlex.split(command)
        assert program == "firstcause"
        got = run_cli(*args, folder=folder).stdout
        same = doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS)
        assert same, f"{command}\nwanted:\n{wanted}\ngot:\n{got}"


def test_every_file_of_the_guide_passes_its_own_tests(tmp_path: Path) -> None:
    run_cli("init", folder=tmp_path)
    (tmp_path / "rules" / "site" / "my-service.yaml").unlink()
    for found in FILE.finditer(GUIDE):
        (tmp_path / found[1]).write_text(found[2])
    for name, count in (("site/payments", 3), ("site/changes", 2), ("site/quiet", 2)):
        done = run_cli("rules", "test", "--only", name, folder=tmp_path)
        assert done.stdout == f"{count} tests, none failed\n", name
