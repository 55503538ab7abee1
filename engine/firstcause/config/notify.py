"""`[notify]` of the configuration: routes, quiet hours, limits and the watchdog."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from firstcause.core.model import Frozen, Priority, Severity
from firstcause.core.notify.quiet_hours import QuietHours
from firstcause.core.selfcheck.watchdog import WatchdogSchedule
from firstcause.core.text.durations import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping


class Day(StrEnum):
    """A day of the week, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{name!r} is not a time zone; use for example Europe/Berlin"
        raise ValueError(msg) from None
    return name


class QuietHoursSettings(Frozen):
    """When a route sends nothing.

    start, end: wall clock times in `timezone`. days: on which the quiet hours start; empty means every day.
    excepted: priorities that are sent all the same.
    """

    start: time = Field(alias="from")
    end: time = Field(alias="to")
    timezone: Annotated[str, AfterValidator(_check_timezone)] = "UTC"
    days: tuple[Day, ...] = ()
    excepted: tuple[Priority, ...] = Field(default=(Priority.P0,), alias="except")

    @model_validator(mode="after")
    def _check_times_differ(self) -> QuietHoursSettings:
        if self.start == self.end:
            msg = (
                f"from and to are both {self.start:%H:%M}, so that the quiet hours have no length; "
                "give two different times, or remove quiet_hours"
            )
            raise ValueError(msg)
        return self

    @property
    def hours(self) -> QuietHours:
        days = frozenset(list(Day).index(day) for day in self.days)
        return QuietHours(self.start, self.end, ZoneInfo(self.timezone), days)


class WatchdogSettings(Frozen):
    """When firstcause says each day that it is alive.

    at: wall clock time in `timezone`. days: empty means every day.
    route: whose notifiers send it; None means the first route.
    """

    at: time
    timezone: Annotated[str, AfterValidator(_check_timezone)] = "UTC"
    days: tuple[Day, ...] = ()
    route: str | None = None

    @property
    def schedule(self) -> WatchdogSchedule:
        days = frozenset(list(Day).index(day) for day in self.days)
        return WatchdogSchedule(self.at, ZoneInfo(self.timezone), days)


class NotifierLimit(Frozen):
    """How many messages a notifier may send; further ones are sent together as one digest.

    maximum: messages within `per`. excepted: priorities that are sent at once.
    """

    maximum: int = Field(alias="max", ge=1, le=10_000)
    per: Duration = Field(default=3600.0, gt=0)
    excepted: tuple[Priority, ...] = Field(default=(Priority.P0,), alias="except")


class Route(Frozen):
    """Who is notified of which incidents. An empty list matches all.

    notifiers: tried in order until one of them delivers.
    then_continue: whether the routes after this one are looked at too.
    escalation_only: whether the route only takes incidents that another route escalates to it.
    repeat_interval: seconds between reminders; None means that of [notify].
    escalate_to: the route that is notified too if nobody acknowledges; None means no escalation.
    escalate_after: seconds without an acknowledgement after which that happens.
    """

    renamed_keys: ClassVar[dict[str, str]] = {"direct": "escalation_only = true instead of direct = false"}

    name: str = ""
    notifiers: tuple[str, ...] = Field(min_length=1)
    priorities: tuple[Priority, ...] = ()
    severities: tuple[Severity, ...] = ()
    tenants: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    then_continue: bool = Field(default=False, alias="continue")
    escalation_only: bool = False
    repeat_interval: Duration | None = None
    escalate_after: Duration = 900.0
    escalate_to: str | None = None
    quiet_hours: QuietHoursSettings | None = None


class Notify(Frozen):
    """group_wait: how long the first message waits for the true cause. link: base URL of the page.

    repeat_interval: after which people are reminded of what nobody acknowledged, 0 for never.
    limits: by notifier. default_limit: of those without one of their own, but for the last resort, which is
    a log rather than a person.
    watchdog: a daily message that firstcause is alive; None for none.
    """

    group_wait: Duration = 60.0
    repeat_interval: Duration = 14400.0
    retry_attempts: int = Field(default=5, ge=1, le=100)
    link: str | None = None
    limits: dict[str, NotifierLimit] = Field(default_factory=dict)
    default_limit: NotifierLimit = NotifierLimit(max=10, per=600.0)
    watchdog: WatchdogSettings | None = None
    routes: tuple[Route, ...] = ()

    @property
    def by_name(self) -> dict[str, Route]:
        """The routes in order, by name; a route without a name is called by its position, as `route 2`."""
        return {route.name or f"route {index}": route for index, route in enumerate(self.routes, 1)}

    def find_repeat_interval(self, route_name: str) -> float:
        """Find the seconds between the reminders of a route, 0 for none; of an unknown one the default."""
        route = self.by_name.get(route_name)
        route_interval = route.repeat_interval if route is not None else None
        return route_interval if route_interval is not None else self.repeat_interval

    @model_validator(mode="after")
    def _check_routes(self) -> Notify:
        routes_by_name = self.by_name
        if len(routes_by_name) < len(self.routes):
            names = [route.name for route in self.routes]
            duplicate = next(name for name in names if names.count(name) > 1)
            msg = f"two routes are named {duplicate!r}; give each a name of its own"
            raise ValueError(msg)
        for name in routes_by_name:
            _check_escalation(name, routes_by_name)
        route = self.watchdog.route if self.watchdog is not None else None
        if route is not None and route not in routes_by_name:
            known = ", ".join(routes_by_name) or "none; leave route out"
            msg = f"watchdog: there is no route {route!r}; known routes: {known}"
            raise ValueError(msg)
        return self


def _check_escalation(name: str, routes_by_name: Mapping[str, Route]) -> None:
    """Follow escalate_to from one route. ValueError: it names an unknown route, or ends up in a cycle."""
    visited = [name]
    while (target := routes_by_name[visited[-1]].escalate_to) is not None:
        if target not in routes_by_name:
            known = ", ".join(routes_by_name)
            msg = (
                f"route {visited[-1]!r}: escalate_to names an unknown route {target!r}; known routes: {known}"
            )
            raise ValueError(msg)
        if target in visited:
            msg = f"escalate_to forms a cycle: {' -> '.join([*visited, target])}; remove one of them"
            raise ValueError(msg)
        visited.append(target)
