"""A newcomer's first day, by the lines of docs/first-day.md as they stand; only the two addresses are ours.

The line that installs is run by .ci/run.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from support.firstcause_process import Receiver, run_cli, run_daemon, wait_until

GUIDE = (Path(__file__).parents[2] / "docs/first-day.md").read_text()


def find_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def find_commands() -> list[list[str]]:
    """Every call of firstcause in the guide after the installation, without what a shell adds to it."""
    lines = [line for block in find_blocks("sh")[1:] for line in block.splitlines()]
    return [
        shlex.split(line.partition(" && ")[0].removesuffix(" &"))[1:]
        for line in lines
        if line.startswith("firstcause ")
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_from_an_empty_folder_to_a_message_about_an_error_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTCAUSE_NOTIFY__GROUP_WAIT", "1s")
    init, unready, check, run, drill, *reports, coverage = find_commands()
    assert (init[0], unready, check, run, drill) == ("init", ["check"], ["check"], ["run"], ["drill"])
    run_cli(*init, folder=tmp_path)
    folder = tmp_path / init[1]
    said = run_cli(*unready, folder=folder, ok=1).stdout
    assert "No probe is set up" in said
    assert "nobody's phone rings" in said
    with Receiver() as website, Receiver() as phone:
        (table,) = find_blocks("toml")
        website_url, phone_url = re.findall(r'url = "(\S+)"', table)
        config = folder / "config.toml"
        table = table.replace(website_url, website.url).replace(phone_url, phone.url)
        config.write_text(f"{config.read_text()}\n{table}")
        run_cli(*check, folder=folder)
        with run_daemon(folder) as daemon:
            monkeypatch.setenv("FIRSTCAUSE_WEB__PORT", daemon.url.rpartition(":")[2])
            run_cli(*drill, folder=folder)
            for report in reports:
                run_cli(*report, folder=folder)
            texts = wait_until(
                lambda: (found := [got["text"] for got in phone.received if not got["drill"]]) and found,
                "the message",
            )
            assert "disk" in texts[0]
            assert "payments-db" in texts[0]
            drafted = run_cli(*coverage, folder=folder).stdout
    assert "code: CHECKOUT_FAILED" in drafted
