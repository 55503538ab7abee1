"""Numbers over time, with what was changed meanwhile and where they are going."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from firstcause.core.health.comparison import Difference, differences
from firstcause.core.health.trend import forecast
from firstcause.core.text.timestamps import format_time
from firstcause.errors import NotFoundError
from firstcause.health.forecasts import limit_of
from firstcause.health.serializers import forecast_answer, trend_answer
from firstcause.store import incidents, snapshots
from firstcause.views.component_status import strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from firstcause.core.health.snapshot import Snapshot
    from firstcause.core.health.trend import Forecast
    from firstcause.health.queries import History

MARKS = 200
"""Changes that a chart shows at most."""

STRETCHES = 400
"""Snapshots that the health over time is drawn from."""

_MINUTE = 60
_AHEAD = 1.0
"""A forecast is drawn so many ranges ahead at most."""


@dataclass(frozen=True)
class Span:
    """From when to when."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since


@dataclass(frozen=True)
class Charts:
    """Reads what was kept."""

    history: History

    def health(self, span: Span) -> dict[str, Any]:
        """{strips, marks}: how every component was, and what was changed."""
        kept = self._kept(span)
        return {"strips": strips(kept), "marks": list(self._marks(kept))}

    def metric(self, name: str, span: Span) -> dict[str, Any]:
        """A trend's answer, with `forecast`: None where nothing says where the metric ends."""
        points = self.history.series(name, span.since, span.until)
        answer = trend_answer(name, span.length.total_seconds() / _MINUTE, points)
        limit = limit_of(name, self.history.knowledge.book.thresholds)
        found = None
        if limit is not None:
            found = forecast([(at.timestamp(), value) for at, value in points], limit)
        said = forecast_answer(name, limit, points, found) if limit is not None else None
        return answer | {"forecast": said, "ahead": _ahead(points, found, span)}

    def series(self, names: Sequence[str], span: Span) -> list[tuple[str, list[tuple[datetime, float]]]]:
        """The metrics of these that there are. NotFoundError where there is none of them."""
        found, missing = [], None
        for name in names:
            try:
                found.append((name, self.history.series(name, span.since, span.until)))
            except NotFoundError as error:
                missing = error
        if missing is not None and not found:
            raise missing
        return found

    def marks(self, span: Span) -> list[dict[str, Any]]:
        """Settings, versions and deployments that changed, and incidents that began, in order of time."""
        with self.history.database.read() as conn:
            opened = incidents.opened_between(conn, span.since, span.until, MARKS)
        began = [
            {
                "time": format_time(each.opened_at),
                "kind": "incident",
                "text": each.title,
                "id": each.stored_id,
            }
            for each in opened
        ]
        found = [*self._marks(self._kept(span)), *began]
        return sorted(found, key=lambda each: str(each["time"]))[-MARKS:]

    def _kept(self, span: Span) -> list[Snapshot]:
        with self.history.database.read() as conn:
            return list(snapshots.between(conn, span.since, span.until, most=STRETCHES))

    def _marks(self, kept: Sequence[Snapshot]) -> Iterator[dict[str, Any]]:
        notable = self.history.knowledge.notable
        for before, after in pairwise(kept):
            for each in differences(before, after, notable):
                if each.setting:
                    yield {
                        "time": format_time(after.taken_at),
                        "kind": "change",
                        "text": _said(each),
                        "id": None,
                    }


def _said(each: Difference) -> str:
    return f"{each.name}: {each.before} -> {each.after}"


def _ahead(
    points: Sequence[tuple[datetime, float]], found: Forecast | None, span: Span
) -> list[dict[str, Any]]:
    """Two points of the line that a forecast goes on with, each with its interval."""
    if found is None or not points:
        return []
    last, value = points[-1]
    reach = min(found.in_s, span.length.total_seconds() * _AHEAD)
    share = reach / found.in_s if found.in_s else 1.0
    end = value + (found.limit - value) * share
    soon = value + (found.limit - value) * min(1.0, reach / found.earliest_s if found.earliest_s else 1.0)
    late = value
    if found.latest_s is not None:
        late = value + (found.limit - value) * min(1.0, reach / found.latest_s)
    start = {"time": format_time(last), "value": value, "soonest": value, "latest": value}
    moment = format_time(last + timedelta(seconds=reach))
    return [start, {"time": moment, "value": end, "soonest": soon, "latest": late}]
