"""What it costs to look at two hundred components every ten seconds, in shares of one processor core."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from firstcause.app.application import Application
from firstcause.config import Settings
from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.daemon.supervisor import Daemon
from firstcause.hookspecs import hookimpl
from firstcause.hookspecs.types import Probe
from firstcause.plugins.manager import PluginManager
from support.benchmark_figures import at_least, at_most

if TYPE_CHECKING:
    from pathlib import Path

    from support.benchmark_figures import Recorder

PROBES, INTERVAL, SECONDS = 200, 10.0, 20.0


class Many:
    """A plugin of probes that answer at once, so that what is measured is our own part."""

    def __init__(self) -> None:
        self.checks = 0

    @hookimpl
    def firstcause_probes(self) -> list[Probe]:
        return [
            Probe(f"probe-{number}", f"component-{number}", self._check, "GONE", interval=INTERVAL)
            for number in range(PROBES)
        ]

    def _check(self) -> Reading:
        self.checks += 1
        data = {f"measurement_{number}_ms": 1.5 * number for number in range(5)}
        return Reading(status=Status.UP, detail="fine", latency_ms=1.0, data=data)


@pytest.mark.alone
def test_two_hundred_probes_every_ten_seconds_take_under_a_tenth_of_a_core(
    record: Recorder, tmp_path: Path
) -> None:
    many, host = Many(), PluginManager([])
    host.register(many, "many")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    settings = Settings.model_validate({"store": {"url": url}, "health": {"interval": INTERVAL}})
    app = Application(settings, host)
    daemon = Daemon(app)
    daemon.start()
    try:
        time.sleep(INTERVAL)  # the start itself, with all probes at once, is not what is asked
        begun, before, checks = time.monotonic(), time.process_time(), many.checks
        time.sleep(SECONDS)
        used = time.process_time() - before
        share = used / (time.monotonic() - begun)
        ran = many.checks - checks
    finally:
        daemon.stop()
        app.close()
    every = f"{PROBES} probes, each every {INTERVAL:g} s"
    enough = PROBES * SECONDS / INTERVAL * 0.8
    record(f"{every}: checks in {SECONDS:g} s", ran, bar=at_least(enough))
    record(f"{every}: processor", share, "of a core", bar=at_most(0.1))
    assert ran > enough
    assert share < 0.10
