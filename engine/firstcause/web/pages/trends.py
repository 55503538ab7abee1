"""Trends: errors, latencies and any other number over time, with what was changed meanwhile."""

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
from firstcause.views.charts import Span
from firstcause.web import svg
from firstcause.web.backend import Asked  # noqa: TC001
from firstcause.web.pages.rendering import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

router = APIRouter(prefix="/trends")

RANGES = {"1h": 1, "6h": 6, "24h": 24, "7d": 168, "30d": 720, "90d": 2160}
"""Name -> hours."""

_LATENCIES = ("latency_ms", "p95_ms", "p99_ms")
_MOST_SERIES = 5
_FORMULA = ("=", "+", "-", "@")


class Wanted:
    """Which time is looked at: one of RANGES up to now, or from one time to another, both UTC."""

    def __init__(
        self,
        length: Annotated[str, Query(alias="range", max_length=10)] = "24h",
        since: Annotated[str, Query(alias="from", max_length=40)] = "",
        until: Annotated[str, Query(alias="to", max_length=40)] = "",
    ) -> None:
        now = datetime.now(UTC)
        hours = RANGES.get(length, RANGES["24h"])
        if since or until:
            end = _time(until) or now
            begin = _time(since) or end - timedelta(hours=hours)
            if begin >= end:
                msg = "the time to look at ends before it begins; let `from` come before `to`"
                raise IntakeError(msg, 422)
            self.span, self.name = Span(begin, end), ""
            self.query = {"from": begin.isoformat(), "to": end.isoformat()}
        else:
            self.span, self.name = Span(now - timedelta(hours=hours), now), length
            self.query = {"range": length}


Period = Annotated[Wanted, Depends()]
Metrics = Annotated[list[str], Query(alias="metric", max_length=_MOST_SERIES)]


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no time; write it like 2026-11-25T03:00"
        raise IntakeError(msg, 422) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@router.get("")
def trends(
    request: Request,
    backend: Asked,
    period: Period,
    probe: Annotated[str, Query(max_length=200)] = "",
    metric: Annotated[str, Query(max_length=400)] = "",
) -> HTMLResponse:
    views, span = backend.views, period.span
    known = views.metrics()
    probes = [name.removesuffix(".latency_ms") for name in known if name.endswith(".latency_ms")]
    chosen = probe if probe in probes else next(iter(probes), None)
    charts = [_chart(backend, period, "Errors a minute", ["errors"])]
    if chosen is not None:
        latencies = [f"{chosen}.{each}" for each in _LATENCIES]
        charts.append(_chart(backend, period, f"Latency of {chosen}, ms", latencies))
    if metric:
        charts.append(_chart(backend, period, metric, [metric]))
    health = views.charts.health(span)
    strips = [
        {**each, "stretches": svg.stretches(each["runs"], span.since, span.until)}
        for each in health["strips"]
    ]
    return show(
        request,
        "trends.html",
        period=period,
        ranges=list(RANGES),
        probes=probes,
        probe=chosen,
        metric=metric,
        metrics=[*known, *([metric] if metric and metric not in known else ())],
        charts=charts,
        strips=strips,
        marks=views.charts.marks(span),
    )


def _chart(backend: Asked, period: Wanted, title: str, metrics: Sequence[str]) -> dict[str, Any]:
    """What stands under a chart, and where a script gets the points."""
    query = urlencode([*period.query.items(), *(("metric", name) for name in metrics)])
    numbers, missing = [], None
    for name in metrics:
        try:
            found = backend.views.charts.metric(name, period.span)
        except NotFoundError as error:
            missing = str(error)
        else:
            numbers += [found] if found["count"] else []
    return {
        "title": title,
        "query": query,
        "numbers": numbers,
        "missing": None if numbers else missing or "Nothing was measured in that time.",
    }


@router.get("/data")
def data(backend: Asked, period: Period, metric: Metrics) -> dict[str, Any]:
    """{times, series, marks, ahead} for a chart: times in seconds, a value or null a time and series."""
    charts = backend.views.charts
    found = charts.series(metric, period.span)
    times, columns = _aligned(found)
    ahead = charts.metric(metric[0], period.span)["ahead"] if len(metric) == 1 else []
    return {
        "since": period.span.since.timestamp(),
        "until": period.span.until.timestamp(),
        "times": [each.timestamp() for each in times],
        "series": [{"name": name, "values": values} for name, values in columns.items()],
        "marks": [{**each, "at": _seconds(each["time"])} for each in charts.marks(period.span)],
        "ahead": [{**each, "at": _seconds(each["time"])} for each in ahead],
    }


@router.get("/csv")
def as_csv(backend: Asked, period: Period, metric: Metrics) -> Response:
    times, columns = _aligned(backend.views.charts.series(metric, period.span))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", *(_plain(name) for name in columns)])
    for place, at in enumerate(times):
        writer.writerow([at.isoformat(), *(values[place] for values in columns.values())])
    headers = {"Content-Disposition": 'attachment; filename="firstcause.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _plain(name: str) -> str:
    """A spreadsheet takes what begins so for a formula."""
    return f"'{name}" if name.startswith(_FORMULA) else name


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _aligned(
    found: Iterable[tuple[str, Sequence[tuple[datetime, float]]]],
) -> tuple[list[datetime], Mapping[str, list[float | None]]]:
    """All times in order, and of each series its value then."""
    by_time: dict[datetime, dict[str, float]] = defaultdict(dict)
    names = []
    for name, points in found:
        names.append(name)
        for at, value in points:
            by_time[at][name] = value
    times = sorted(by_time)
    return times, {name: [by_time[at].get(name) for at in times] for name in names}
