"""Finds out whether an incident flaps: whether its root ends and returns again and again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from firstcause.core.downtime import skip_downtime
from firstcause.core.model import Flapping, Transition
from firstcause.core.text.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from firstcause.core.downtime import Downtime

MAX_TRANSITIONS = 64
"""The newest transitions of an incident that are kept; the rhythm is that of these."""

_MAX_RHYTHM_IN_SECONDS = 180
"""Seconds up to which a rhythm is not split into minutes and seconds."""


@dataclass(frozen=True)
class FlapPolicy:
    """When an incident flaps; rule files set these as thresholds `flapping_...`.

    times: how often the root has to begin within `window` seconds.
    calm: seconds that the root has to stay away until the incident is resolved.
    steady: seconds that the root has to stay active until the incident no longer flaps.
    downtimes: when firstcause did not run, and saw neither; these times do not count.
    """

    times: float = 3.0
    window: float = 1800.0
    calm: float = 600.0
    steady: float = 600.0
    downtimes: tuple[Downtime, ...] = ()


DEFAULT_POLICY = FlapPolicy()


class Settled(StrEnum):
    """How a root holds still."""

    CALM = "calm"
    STEADY = "steady"


def record_transition(
    transitions: Sequence[Transition], now: datetime, *, firing: bool
) -> tuple[Transition, ...]:
    """Add that the root begins or ends now, unless it was in that state already."""
    if transitions and transitions[-1].firing is firing:
        return tuple(transitions)
    return (*transitions, Transition(at=now, firing=firing))[-MAX_TRANSITIONS:]


def find_settled(transitions: Sequence[Transition], policy: FlapPolicy, now: datetime) -> Settled | None:
    """Find out whether the root holds still for long enough; None while it does not."""
    if not transitions:
        return None
    # The distance counts both ways: a clock that was set back by hours must not keep an incident flapping.
    seen_since = skip_downtime(transitions[-1].at, policy.downtimes)
    since_last_s = abs((now - seen_since).total_seconds())
    if transitions[-1].firing:
        return Settled.STEADY if since_last_s >= policy.steady else None
    return Settled.CALM if since_last_s >= policy.calm else None


def assess_flapping(
    transitions: Sequence[Transition], before: Flapping | None, policy: FlapPolicy, now: datetime
) -> Flapping | None:
    """Find out whether the root flaps, and in what rhythm.

    transitions: when the root began and ended, in order.
    before: the last answer. An incident that flaps does so until its root holds still.
    """
    onsets = [transition.at for transition in transitions if transition.firing]
    if not onsets or find_settled(transitions, policy, now) is not None:
        return None
    if before is None:
        window_start = onsets[-1] - timedelta(seconds=policy.window)
        recent = [at for at in onsets if at >= window_start]
        if len(recent) < max(policy.times, 2):
            return None
        since, times = recent[0], len(recent)
    else:
        since, times = before.since, before.times + sum(at > before.last_onset for at in onsets)
    return Flapping(
        since=since,
        times=times,
        last_onset=onsets[-1],
        period_s=_compute_median_gap(onsets) or 0.0,
        on_s=median(_list_on_durations(transitions)),
    )


def _compute_median_gap(times: Sequence[datetime]) -> float | None:
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    return median(gaps) if gaps else None


def _list_on_durations(transitions: Sequence[Transition]) -> list[float]:
    return [
        (after.at - before.at).total_seconds() for before, after in pairwise(transitions) if before.firing
    ] or [0.0]


def describe_flapping(flapping: Flapping) -> str:
    """Say how often it began, and in what rhythm: "12 times in 20 min, about every 100 s, on for 50 s"."""
    length = (flapping.last_onset - flapping.since).total_seconds()
    return (
        f"{flapping.times} times in {format_duration(length)}, "
        f"about every {_format_rhythm(flapping.period_s)}, on for {_format_rhythm(flapping.on_s)}"
    )


def _format_rhythm(duration_s: float) -> str:
    return f"{duration_s:.0f} s" if duration_s < _MAX_RHYTHM_IN_SECONDS else format_duration(duration_s)
