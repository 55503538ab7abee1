"""Runs probes side by side. One that raises is DOWN; one that hangs is cut off and is DOWN too."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from firstcause.core.model import Reading, Status
from firstcause.host.deadline import OverdueError, call, described

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.hookspecs.types import Probe

log = logging.getLogger("firstcause.health")


class Prober:
    """Runs checks; remembers those that still hang, so that no second one is started beside them."""

    def __init__(self) -> None:
        self._hanging: dict[str, threading.Event] = {}

    def read(self, probes: Sequence[Probe]) -> Mapping[str, Reading]:
        """One reading each, by name, in the order given."""
        futures = {probe.name: self._start(probe) for probe in probes}
        return {name: future.result() for name, future in futures.items()}

    def _start(self, probe: Probe) -> Future[Reading]:
        future: Future[Reading] = Future()
        thread = threading.Thread(
            target=lambda: future.set_result(self._read(probe)), name=f"probe {probe.name}", daemon=True
        )
        thread.start()
        return future

    def _read(self, probe: Probe) -> Reading:
        finished = self._hanging.get(probe.name)
        if finished is not None and not finished.is_set():
            return _down(probe, "an earlier check still hangs")
        finished = threading.Event()
        started = time.perf_counter()
        try:
            reading = call(lambda: _checked(probe, finished), probe.timeout, f"probe {probe.name}")
        except OverdueError:
            self._hanging[probe.name] = finished
            return _down(probe, f"no answer within {probe.timeout:g} s")
        except Exception as error:  # noqa: BLE001 - a probe is a stranger's code
            return _down(probe, f"the check failed: {described(error)}")
        if not isinstance(reading, Reading):
            return _down(probe, f"the check returned {type(reading).__name__}, not a Reading")
        if reading.latency_ms is None:
            reading = reading.model_copy(
                update={"latency_ms": round((time.perf_counter() - started) * 1000, 1)}
            )
        return reading


def _checked(probe: Probe, finished: threading.Event) -> Reading:
    try:
        return probe.check()
    finally:
        finished.set()


def _down(probe: Probe, detail: str) -> Reading:
    log.warning("probe %s: %s", probe.name, detail)
    return Reading(status=Status.DOWN, detail=detail, code=probe.code)
