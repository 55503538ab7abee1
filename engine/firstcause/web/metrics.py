"""`/metrics`, in Prometheus' text format, made when it is asked for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from firstcause.core.model import Priority, Status
from firstcause.errors import StoreError
from firstcause.web.dependencies import AppDep, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from firstcause.app.monitoring import Metrics
    from firstcause.core.selfcheck.conditions import Condition
    from firstcause.intake.metrics import IntakeMetrics

router = APIRouter()

_STATUS_VALUES = {Status.UP.value: 1.0, Status.DEGRADED.value: 0.5, Status.DOWN.value: 0.0}


class _MetricsCollector(Collector):
    """Those of one moment."""

    def __init__(
        self, intake_metrics: IntakeMetrics, measures: Metrics | None, conditions: Sequence[Condition]
    ) -> None:
        self._intake_metrics = intake_metrics
        self._measures = measures
        self._conditions = conditions

    def collect(self) -> Iterator[Metric]:
        yield from self._collect_intake()
        yield self._collect_conditions()
        if self._measures is not None:
            yield from self._collect_state(self._measures)

    def _collect_conditions(self) -> Metric:
        counts = Counter(
            (condition.code, condition.about or "", condition.level.value) for condition in self._conditions
        )
        help_text = "What is wrong with firstcause itself; docs/operations.md lists the codes."
        return _build_gauge("condition", help_text, ("code", "about", "level"), counts)

    def _collect_intake(self) -> Iterator[Metric]:
        intake_metrics = self._intake_metrics
        accepted = {(format_name,): count for format_name, count in intake_metrics.accepted.items()}
        yield _build_counter("events_accepted", "Accepted events.", ("format",), accepted)
        help_text = "Rejected events and requests."
        yield _build_counter("events_rejected", help_text, ("format", "reason"), intake_metrics.rejected)
        help_text = "Received items that are not errors."
        yield _build_counter("items_ignored", help_text, ("format", "kind"), intake_metrics.ignored)
        help_text = "Events that senders report as dropped by themselves."
        yield _build_counter(
            "sender_dropped", help_text, ("format", "reason"), intake_metrics.dropped_by_sender
        )

    def _collect_state(self, measures: Metrics) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "firstcause_events_pending", "Events not yet triaged.", measures.pending_events
        )
        help_text = "Size of the events not yet triaged on disk."
        yield GaugeMetricFamily("firstcause_events_pending_bytes", help_text, measures.pending_event_bytes)
        yield GaugeMetricFamily(
            "firstcause_notifications_pending", "Messages not yet sent.", measures.pending_notifications
        )
        yield GaugeMetricFamily("firstcause_alerts_active", "Active alerts.", measures.alerts)
        yield GaugeMetricFamily("firstcause_store_bytes", "Size of the store on disk.", measures.store_bytes)
        opened = {(priority.value,): measures.incidents.get(priority.value, 0) for priority in Priority}
        yield _build_gauge("incidents_open", "Open incidents.", ("priority",), opened)
        probes = {
            (name, part): _STATUS_VALUES.get(status, 0.0) for name, (part, status) in measures.probes.items()
        }
        yield _build_gauge("probe_up", "1 is UP, 0.5 DEGRADED, 0 DOWN.", ("probe", "component"), probes)
        yield CounterMetricFamily("firstcause_events_triaged", "Events triaged.", measures.processed_events)
        yield CounterMetricFamily(
            "firstcause_rule_evaluations", "Evaluations of the rules.", measures.rule_evaluations
        )
        yield _build_counter(
            "notifications", "Delivery attempts.", ("notifier", "result"), measures.delivery_attempts
        )


def _build_counter(
    name: str, help_text: str, labels: tuple[str, ...], samples: Mapping[Any, float]
) -> Metric:
    return _add_samples(CounterMetricFamily(f"firstcause_{name}", help_text, labels=labels), samples)


def _build_gauge(name: str, help_text: str, labels: tuple[str, ...], samples: Mapping[Any, float]) -> Metric:
    return _add_samples(GaugeMetricFamily(f"firstcause_{name}", help_text, labels=labels), samples)


def _add_samples(family: CounterMetricFamily | GaugeMetricFamily, samples: Mapping[Any, float]) -> Metric:
    """found: the labels' values, in order -> the number."""
    for label_values, value in sorted(samples.items()):
        family.add_metric(label_values, value)
    return family


@router.get("/metrics", include_in_schema=False)
def export_metrics(app: AppDep) -> Response:
    registry = CollectorRegistry()
    try:
        measures = app.monitoring.collect_metrics()
    except StoreError:
        # What needs no store is exported, and the condition says that the store does not answer.
        measures = None
    conditions = app.monitoring.find_conditions(utc_now())
    registry.register(_MetricsCollector(app.intake.metrics, measures, conditions))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
