"""`/metrics`, in Prometheus' text format, made when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from firstcause.core.model import Priority, Status
from firstcause.web.backend import Asked  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from firstcause.app.metrics import Measures
    from firstcause.intake.metrics import Counts

router = APIRouter()

_HEALTH = {Status.UP.value: 1.0, Status.DEGRADED.value: 0.5, Status.DOWN.value: 0.0}


class _Numbers(Collector):
    """Those of one moment."""

    def __init__(self, counts: Counts, measures: Measures) -> None:
        self._counts = counts
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        yield from self._came_in()
        yield from self._are_there()

    def _came_in(self) -> Iterator[Metric]:
        counts = self._counts
        accepted = {(form,): number for form, number in counts.accepted.items()}
        yield _counter("events_accepted", "Events that are on disk.", ("format",), accepted)
        what = "Events and whole requests that were refused."
        yield _counter("events_rejected", what, ("format", "reason"), counts.rejected)
        what = "What came besides and is no error."
        yield _counter("items_passed", what, ("format", "kind"), counts.passed)
        what = "What senders say that they dropped themselves."
        yield _counter("sender_losses", what, ("format", "reason"), counts.lost)

    def _are_there(self) -> Iterator[Metric]:
        seen = self._measures
        yield GaugeMetricFamily("firstcause_events_waiting", "Events not yet triaged.", seen.waiting)
        what = "What these events take on disk."
        yield GaugeMetricFamily("firstcause_events_waiting_bytes", what, seen.waiting_bytes)
        yield GaugeMetricFamily("firstcause_messages_waiting", "Messages not yet sent.", seen.unsent)
        yield GaugeMetricFamily("firstcause_alerts_active", "Alerts that go on.", seen.alerts)
        yield GaugeMetricFamily("firstcause_store_bytes", "What the store takes on disk.", seen.taken)
        opened = {(each.value,): seen.incidents.get(each.value, 0) for each in Priority}
        yield _gauge("incidents_open", "Open incidents.", ("priority",), opened)
        probes = {(name, part): _HEALTH.get(said, 0.0) for name, (part, said) in seen.probes.items()}
        yield _gauge("probe_up", "1 is UP, 0.5 DEGRADED, 0 DOWN.", ("probe", "component"), probes)
        yield CounterMetricFamily("firstcause_events_triaged", "Events triaged.", seen.triaged)
        yield CounterMetricFamily("firstcause_rule_runs", "Evaluations of the rules.", seen.rule_runs)
        yield _counter("notifications", "Tries to deliver.", ("notifier", "result"), seen.notified)


def _counter(name: str, what: str, labels: tuple[str, ...], found: Mapping[Any, float]) -> Metric:
    return _labelled(CounterMetricFamily(f"firstcause_{name}", what, labels=labels), found)


def _gauge(name: str, what: str, labels: tuple[str, ...], found: Mapping[Any, float]) -> Metric:
    return _labelled(GaugeMetricFamily(f"firstcause_{name}", what, labels=labels), found)


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, found: Mapping[Any, float]) -> Metric:
    """found: the labels' values, in order -> the number."""
    for values, number in sorted(found.items()):
        family.add_metric(values, number)
    return family


@router.get("/metrics", include_in_schema=False)
def metrics(backend: Asked) -> Response:
    registry = CollectorRegistry()
    registry.register(_Numbers(backend.counts, backend.measures()))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
