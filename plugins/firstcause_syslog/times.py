"""Times of syslog messages. RFC 3164 has neither years nor zones, and clocks of devices may be unset."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# Routers and switches write a number and a mark before the time, the year before, within or after it, and the
# name of the zone behind it: `45: *Nov 29 20:00:00.123 UTC: `.
RFC3164_TIME = re.compile(
    r"(?:\d{0,10}: )?[*.]?(?:(?P<year_before>(?:19|20)\d\d) )?(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2})"
    r"(?: (?P<year_within>\d{4}))? (?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,]\d+)?"
    r"(?: (?P<year_after>(?:19|20)\d\d)(?=[ :]))?(?: [A-Z]{3,5}(?=:))?:?(?: (?=\S)|$)"
)
_YEAR_GROUPS = ("year_before", "year_within", "year_after")
ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\S+) ")
_MONTH_NUMBERS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_MAX_AHEAD = timedelta(days=1)
_MAX_YEARS_BACK = 8
"""Years back to the last February 29, at worst."""

_ZONE_STEP = timedelta(minutes=15)
_MAX_ZONE_OFFSET = timedelta(hours=14)
_MAX_DELAY = timedelta(minutes=1)
"""How far a message's time may differ from ours, not counting the time zone."""

_FIRST_CREDIBLE_YEAR = 2010
"""Devices without a battery start in 1970, 1980 or 2000."""

_UNSET_AFTER = timedelta(days=7)
"""Without a year, January 1 is the start of an unset clock, unless it was a few days ago."""


class SentTime(NamedTuple):
    """A time as it was sent. has_zone, has_year: whether the message says them."""

    time: datetime
    has_zone: bool = True
    has_year: bool = True


def parse_iso_time(text: str, zone: ZoneInfo) -> SentTime | None:
    """Parse ISO 8601. zone: of a time that has none."""
    try:
        timestamp = datetime.fromisoformat(text)
        has_zone = timestamp.tzinfo is not None
        time = timestamp if has_zone else timestamp.replace(tzinfo=zone)
        return SentTime(time.astimezone(UTC), has_zone=has_zone)
    except (ValueError, OverflowError):
        return None


def resolve_year(match: re.Match[str], now: datetime, zone: ZoneInfo) -> SentTime | None:
    """Add the year, if the message has none: the one that is nearest to now, at most a day ahead."""
    month = _MONTH_NUMBERS.get(match["month"], 0)
    day, hour, minute, second = (int(match[group]) for group in ("day", "hour", "minute", "second"))
    sent_year = next((int(match[group]) for group in _YEAR_GROUPS if match[group]), None)
    local_year = now.astimezone(zone).year
    # Only a January may be that of the next year.
    latest = local_year + 1 if month == 1 else local_year
    years = [sent_year] if sent_year else range(latest, local_year - _MAX_YEARS_BACK - 1, -1)
    for year in years:
        try:
            time = datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if sent_year or time <= now + _MAX_AHEAD:
            return SentTime(time, has_zone=False, has_year=sent_year is not None)
    return None


def correct_time(sent: SentTime | None, now: datetime) -> tuple[datetime, dict[str, str]]:
    """Return when a message was sent by our clock, and details that say what was wrong with the sent time."""
    if sent is None:
        return now, {}
    kept = {"sent_time": sent.time.isoformat()}
    starts_a_year = (sent.time.month, sent.time.day) == (1, 1) and now - sent.time > _UNSET_AFTER
    if sent.time.year < _FIRST_CREDIBLE_YEAR or (not sent.has_year and starts_a_year):
        return now, {**kept, "clock": "the sender's clock is not set; this is the time of receipt"}
    offset = round((now - sent.time) / _ZONE_STEP) * _ZONE_STEP
    is_whole = abs(now - sent.time - offset) <= _MAX_DELAY
    if sent.has_zone or not offset or not is_whole or abs(offset) > _MAX_ZONE_OFFSET:
        return sent.time, {}
    hours = offset / timedelta(hours=1)
    direction = "behind" if offset > timedelta(0) else "ahead of"
    clock = (
        f"the sender's time has no zone and is {abs(hours):g} h {direction} ours; [plugins.syslog] timezone"
    )
    return sent.time + offset, {**kept, "clock": clock}
