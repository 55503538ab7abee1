"""The trends page: errors, latencies and other metrics over time, with deployments and incidents as marks."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from firstcause.errors import IntakeError, NotFoundError
from firstcause.views.charts import TimeSpan
from firstcause.web import svg
from firstcause.web.dependencies import ViewsDep  # noqa: TC001 - FastAPI reads the annotations
from firstcause.web.pages.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

router = APIRouter(prefix="/trends")

RANGE_HOURS = {"1h": 1, "6h": 6, "24h": 24, "7d": 168, "30d": 720, "90d": 2160}
"""Range name -> hours."""

_LATENCY_METRICS = ("latency_ms", "p95_ms", "p99_ms")
_MAX_SERIES = 5
_FORMULA_PREFIXES = ("=", "+", "-", "@")


class TimeRange:
    """The selected time range: one of RANGE_HOURS up to now, or from one UTC time to another."""

    def __init__(
        self,
        length: Annotated[str, Query(alias="range", max_length=10)] = "24h",
        since: Annotated[str, Query(alias="from", max_length=40)] = "",
        until: Annotated[str, Query(alias="to", max_length=40)] = "",
    ) -> None:
        now = datetime.now(UTC)
        hours = RANGE_HOURS.get(length, RANGE_HOURS["24h"])
        if since or until:
            end = _parse_time(until) or now
            begin = _parse_time(since) or end - timedelta(hours=hours)
            if begin >= end:
                msg = "time range ends before it begins; set `from` before `to`"
                raise IntakeError(msg, 422)
            self.span, self.name = TimeSpan(begin, end), ""
            self.query = {"from": begin.isoformat(), "to": end.isoformat()}
        else:
            self.span, self.name = TimeSpan(now - timedelta(hours=hours), now), length
            self.query = {"range": length}


TimeRangeDep = Annotated[TimeRange, Depends()]
MetricsParam = Annotated[list[str], Query(alias="metric", max_length=_MAX_SERIES)]


def _parse_time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a time; use for example 2026-11-25T03:00"
        raise IntakeError(msg, 422) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@router.get("")
def show_trends(
    request: Request,
    views: ViewsDep,
    period: TimeRangeDep,
    probe: Annotated[str, Query(max_length=200)] = "",
    metric: Annotated[str, Query(max_length=400)] = "",
) -> HTMLResponse:
    span = period.span
    metric_names = views.list_metrics()
    probes = [name.removesuffix(".latency_ms") for name in metric_names if name.endswith(".latency_ms")]
    selected_probe = probe if probe in probes else next(iter(probes), None)
    charts = [_build_chart(views, period, "Errors a minute", ["errors"])]
    if selected_probe is not None:
        latencies = [f"{selected_probe}.{suffix}" for suffix in _LATENCY_METRICS]
        charts.append(_build_chart(views, period, f"Latency of {selected_probe}, ms", latencies))
    if metric:
        charts.append(_build_chart(views, period, metric, [metric]))
    health = views.charts.load_health(span)
    strips = [
        {**strip, "stretches": svg.layout_stretches(strip["runs"], span.since, span.until)}
        for strip in health["strips"]
    ]
    return render(
        request,
        "trends.html",
        period=period,
        ranges=list(RANGE_HOURS),
        probes=probes,
        probe=selected_probe,
        metric=metric,
        metrics=[*metric_names, *([metric] if metric and metric not in metric_names else ())],
        charts=charts,
        strips=strips,
        marks=views.charts.list_marks(span),
    )


def _build_chart(views: ViewsDep, period: TimeRange, title: str, metrics: Sequence[str]) -> dict[str, Any]:
    """Return a chart's title, summary rows and the query that app.js loads its points with."""
    query = urlencode([*period.query.items(), *(("metric", name) for name in metrics)])
    summaries, missing = [], None
    for name in metrics:
        try:
            summary = views.charts.load_metric(name, period.span)
        except NotFoundError as error:
            missing = str(error)
        else:
            summaries += [summary] if summary["count"] else []
    return {
        "title": title,
        "query": query,
        "numbers": summaries,
        "missing": None if summaries else missing or "No values in this range.",
    }


@router.get("/data")
def chart_data(views: ViewsDep, period: TimeRangeDep, metric: MetricsParam) -> dict[str, Any]:
    """Return {times, series, marks, ahead} of a chart: times in seconds, values as numbers or null."""
    charts = views.charts
    series = charts.load_series(metric, period.span)
    times, columns = _align_series(series)
    ahead = charts.load_metric(metric[0], period.span)["ahead"] if len(metric) == 1 else []
    return {
        "since": period.span.since.timestamp(),
        "until": period.span.until.timestamp(),
        "times": [time.timestamp() for time in times],
        "series": [{"name": name, "values": values} for name, values in columns.items()],
        "marks": [{**mark, "at": _to_epoch(mark["time"])} for mark in charts.list_marks(period.span)],
        "ahead": [{**point, "at": _to_epoch(point["time"])} for point in ahead],
    }


@router.get("/csv")
def export_csv(views: ViewsDep, period: TimeRangeDep, metric: MetricsParam) -> Response:
    times, columns = _align_series(views.charts.load_series(metric, period.span))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", *(_escape_formula(name) for name in columns)])
    for index, time in enumerate(times):
        writer.writerow([time.isoformat(), *(values[index] for values in columns.values())])
    headers = {"Content-Disposition": 'attachment; filename="firstcause.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _escape_formula(name: str) -> str:
    """Prefix names that a spreadsheet would run as a formula."""
    return f"'{name}" if name.startswith(_FORMULA_PREFIXES) else name


def _to_epoch(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _align_series(
    series: Iterable[tuple[str, Sequence[tuple[datetime, float]]]],
) -> tuple[list[datetime], Mapping[str, list[float | None]]]:
    """Return all times in order, and each series' values at those times, None where it has none."""
    by_time: dict[datetime, dict[str, float]] = defaultdict(dict)
    names = []
    for name, points in series:
        names.append(name)
        for time, value in points:
            by_time[time][name] = value
    times = sorted(by_time)
    return times, {name: [by_time[time].get(name) for time in times] for name in names}
