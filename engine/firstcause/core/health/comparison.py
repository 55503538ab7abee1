"""Compares two snapshots: all differences, as facts for rules, and the rules' assessment of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from firstcause.core.fact_kinds import DifferenceFact
from firstcause.core.health.snapshot import ABSENT, COUNT_UNIT, MILLISECONDS_SUFFIX, PRESENT
from firstcause.core.model import Fact, Frozen, Scalar, Severity, Status, Time, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.fact_kinds import DifferenceCategory
    from firstcause.core.health.baseline import DeviationScore
    from firstcause.core.health.outlier import Outlier
    from firstcause.core.health.snapshot import ErrorSummary, ProbeObservation, Snapshot

ENVIRONMENT: Final = "environment"
CONFIGURATION: Final = "configuration"
DEPLOYMENT: Final = "deployment"
INFRASTRUCTURE: Final = "infrastructure"
ERROR_RATE: Final = "error_rate"
ERROR_TYPE: Final = "error_type"
DATA: Final = "data"
PERFORMANCE: Final = "performance"
METRIC: Final = "metric"
UNUSUAL: Final = "unusual"
EXTREME: Final = "extreme"

_MEASURED_CATEGORIES = {ERROR_RATE, PERFORMANCE, METRIC, UNUSUAL}
_SETTING_CATEGORIES = {ENVIRONMENT, CONFIGURATION, DEPLOYMENT}

CHECKSUM_PATTERN = re.compile("[0-9a-f]{12,64}")
"""Shown in place of a value that is secret or too long."""

_MAX_CHANGES = 60


@dataclass(frozen=True)
class Difference:
    """A difference between two snapshots. name: setting, probe, error code, or `PROBE.MEASUREMENT`.

    since: when the new value was first seen. count: occurrences of an error. code: its code, or the main one.
    score: how unlike its normal a component is; of a number, by how many of its ranges it is outside.
    """

    category: DifferenceCategory
    component: str | None
    name: str
    before: Scalar
    after: Scalar
    since: datetime | None = None
    count: int | None = None
    code: str | None = None
    score: float | None = None

    @property
    def key(self) -> str:
        return f"{self.category}:{self.name}"

    @property
    def change(self) -> float | None:
        """By how much a number grew; None for texts."""
        if isinstance(self.before, str) or isinstance(self.after, str):
            return None
        return float(self.after) - float(self.before)

    @property
    def ratio(self) -> float | None:
        """By which factor a number changed; None for texts, and where it was 0."""
        if isinstance(self.before, str) or isinstance(self.after, str) or not self.before:
            return None
        return round(float(self.after) / float(self.before), 4)

    @property
    def is_measured(self) -> bool:
        """Whether the value differs every time, so that it is worth showing only as a regression."""
        return self.category in _MEASURED_CATEGORIES

    @property
    def is_setting(self) -> bool:
        """Whether somebody sets the value: a variable, a file, a version."""
        return self.category in _SETTING_CATEGORIES

    @property
    def is_worse(self) -> bool:
        """Whether a status got worse; rules decide on everything else."""
        if self.category != INFRASTRUCTURE or self.after == ABSENT:
            return False
        return Status(str(self.after)).rank > Status(str(self.before)).rank


def find_differences(before: Snapshot, after: Snapshot, min_change: float) -> list[Difference]:
    """Find all differences. min_change: share of its value below which a changed number does not count."""
    differences = [*_diff_settings(before, after), *_diff_statuses(before, after)]
    differences += [*_diff_errors(before, after), *_diff_numbers(before, after, min_change)]
    return differences


def with_first_seen(
    differences: Iterable[Difference], first_seen: Mapping[str, datetime], now: datetime
) -> list[Difference]:
    """Date each difference: by its key in `first_seen`, else now."""
    return [
        replace(difference, since=min(first_seen.get(difference.key, now), now)) for difference in differences
    ]


def _diff_settings(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    for name, was in before.configuration.items():
        now = after.configuration.get(name, was)
        if ABSENT in {was, now} and was != now:
            state_before, state_after = (value if value == ABSENT else PRESENT for value in (was, now))
            yield Difference(ENVIRONMENT, None, name, state_before, state_after)
        elif was != now and PRESENT not in {was, now}:
            yield Difference(ENVIRONMENT, None, name, was, now)
    for probe, old, new in _pair_probes(before, after):
        for name in dict.fromkeys((*old.texts, *new.texts)):
            was, now = old.texts.get(name, ABSENT), new.texts.get(name, ABSENT)
            if was != now and old.texts and new.texts:
                yield Difference(CONFIGURATION, new.component, f"{probe}.{name}", was, now)


def _diff_statuses(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    for probe, old, new in _pair_probes(before, after):
        if old.status is not new.status:
            yield Difference(INFRASTRUCTURE, new.component, probe, old.status.value, new.status.value)
    for probe, old in before.infrastructure.items():
        if probe not in after.infrastructure:
            yield Difference(INFRASTRUCTURE, old.component, probe, old.status.value, ABSENT)


def _pair_probes(
    before: Snapshot, after: Snapshot
) -> Iterator[tuple[str, ProbeObservation, ProbeObservation]]:
    for probe, old in before.infrastructure.items():
        if (new := after.infrastructure.get(probe)) is not None:
            yield probe, old, new


def _diff_errors(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    old, new = before.errors, after.errors
    if old.per_minute != new.per_minute:
        code = _fastest_growing_code(old, new)
        yield Difference(
            ERROR_RATE, None, "errors", old.per_minute, new.per_minute, count=new.total, code=code
        )
    counts = dict(new.top)
    for code in new.new:
        count = counts.get(code, 1)
        frequency = "once" if count == 1 else f"{count} times"
        yield Difference(ERROR_TYPE, None, code, "never seen", frequency, count=count, code=code)


def _fastest_growing_code(old: ErrorSummary, new: ErrorSummary) -> str | None:
    before = dict(old.top)
    return max(new.top, key=lambda entry: entry[1] - before.get(entry[0], 0), default=(None, 0))[0]


def _diff_numbers(before: Snapshot, after: Snapshot, min_change: float) -> Iterator[Difference]:
    for probe, old, new in _pair_probes(before, after):
        now = new.numbers
        for name, was in old.numbers.items():
            if name in now and abs(now[name] - was) > min_change * abs(was):
                yield Difference(_metric_category(name), new.component, f"{probe}.{name}", was, now[name])


def _metric_category(name: str) -> DifferenceCategory:
    if name.endswith(MILLISECONDS_SUFFIX):
        return PERFORMANCE
    return DATA if name == COUNT_UNIT or name.endswith(f"_{COUNT_UNIT}") else METRIC


def baseline_difference(component: str, result: DeviationScore) -> Difference:
    """Make the difference of a component that is unusual for it at this hour."""
    expected = [
        f"{deviation.name} {deviation.expected.center - 2 * deviation.expected.spread:.4g} to "
        f"{deviation.expected.center + 2 * deviation.expected.spread:.4g}"
        for deviation in result.worst
    ]
    actual = [f"{deviation.name} {deviation.value:.4g}" for deviation in result.worst]
    score = round(result.score, 1)
    return Difference(UNUSUAL, component, component, ", ".join(expected), ", ".join(actual), score=score)


def outlier_difference(component: str, name: str, outlier: Outlier) -> Difference:
    """Make the difference of a number outside its long-time range."""
    expected = f"{outlier.low:.4g} to {outlier.high:.4g}"
    return Difference(
        EXTREME, component, name, expected, round(outlier.value, 4), score=round(outlier.score, 2)
    )


def difference_facts(differences: Iterable[Difference], regressions: Collection[str] = ()) -> list[Fact]:
    """Build facts of differences. regressions: keys of those that rules call regressions."""
    return [_difference_fact(difference, regressions) for difference in differences]


def _difference_fact(difference: Difference, regressions: Collection[str]) -> Fact:
    return DifferenceFact(
        id=f"difference:{difference.key}",
        category=difference.category,
        component=difference.component,
        name=difference.name,
        before=difference.before,
        after=difference.after,
        change=difference.change,
        ratio=difference.ratio,
        count=difference.count,
        code=difference.code,
        score=difference.score,
        worse=difference.is_worse,
        regression=difference.key in regressions,
    ).to_fact()


class AssessedDifference(Frozen):
    """A difference with the verdict of a rule. severity: INFO without a verdict.

    likelihood: how likely it explains a regression, 0 to 1; None for a regression itself.
    """

    category: str
    component: str | None
    name: str
    before: Scalar
    after: Scalar
    severity: Severity
    message: str
    since: Time | None = None
    rule: str | None = None
    likelihood: float | None = None


class Comparison(Frozen):
    """What the rules made of the differences. code: of the error that a regression is."""

    is_regression: bool = False
    regressions: tuple[AssessedDifference, ...] = ()
    changes: tuple[AssessedDifference, ...] = ()
    code: str | None = None
    severity: Severity = Severity.INFO
    rollback: str | None = None
    last_known_good: str | None = None
    good_at: Time | None = None
    time_since_last_good: float | None = None
    message: str = ""


def assess(
    differences: Sequence[Difference],
    verdicts: Iterable[Verdict],
    likelihoods: Mapping[str, float],
    last_good: tuple[str, datetime] | None,
    now: datetime,
    reference_name: str = "the last known good state",
) -> Comparison:
    """verdicts: of all rules. likelihoods: by key. good: number and time of the last known good state.

    than: what it is compared with, in words.
    """
    regression_verdicts = _select_strongest(verdicts)
    assessed = {
        difference.key: _assess_difference(
            difference, regression_verdicts.get(f"difference:{difference.key}"), likelihoods
        )
        for difference in differences
    }
    regressions = sorted(
        (change for key, change in assessed.items() if f"difference:{key}" in regression_verdicts),
        key=lambda change: -change.severity.rank,
    )
    changes = [
        assessed[difference.key]
        for difference in differences
        if not difference.is_measured or f"difference:{difference.key}" in regression_verdicts
    ]
    changes.sort(key=lambda change: (-(change.likelihood or 0), -change.severity.rank))
    worst = next(
        (
            regression_verdicts[f"difference:{regressions[0].category}:{regressions[0].name}"]
            for _ in regressions
        ),
        None,
    )
    raised = worst.raises if worst is not None else None
    minutes_since_good = max(0.0, (now - last_good[1]).total_seconds() / 60) if last_good else None
    return Comparison(
        is_regression=bool(regressions),
        regressions=tuple(regressions),
        changes=tuple(changes[:_MAX_CHANGES]),
        code=raised.code if raised else None,
        severity=raised.severity if raised else Severity.INFO,
        rollback=_suggest_rollback(changes, raised.rollback if raised else None),
        last_known_good=last_good[0] if last_good else None,
        good_at=last_good[1] if last_good else None,
        time_since_last_good=None if minutes_since_good is None else round(minutes_since_good, 1),
        message=_format_message(regressions, changes, reference_name if last_good else None),
    )


def _select_strongest(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The regression that holds of each fact: of the rule of the highest priority."""
    best: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.verdict is VerdictKind.REGRESSION:
            current = best.get(verdict.of)
            if current is None or verdict.priority > current.priority:
                best[verdict.of] = verdict
    return best


def _assess_difference(
    difference: Difference, verdict: Verdict | None, likelihoods: Mapping[str, float]
) -> AssessedDifference:
    raised = verdict.raises if verdict is not None else None
    return AssessedDifference(
        category=difference.category,
        component=difference.component,
        name=difference.name,
        before=difference.before,
        after=difference.after,
        severity=raised.severity if raised else Severity.INFO,
        message=verdict.because if verdict else _describe_difference(difference),
        since=difference.since,
        rule=verdict.rule if verdict else None,
        likelihood=likelihoods.get(difference.key),
    )


def _describe_difference(difference: Difference) -> str:
    if difference.category == EXTREME:
        return f"{difference.name} is {difference.after:.4g}, and was {difference.before} for long"
    if difference.category == INFRASTRUCTURE and difference.after == ABSENT:
        return f"{difference.name} is not looked at any more, and was {difference.before}"
    if difference.category == ERROR_TYPE:
        return f"{difference.name} was {difference.before} before"
    if (
        difference.is_setting
        and CHECKSUM_PATTERN.fullmatch(str(difference.before))
        and CHECKSUM_PATTERN.fullmatch(str(difference.after))
    ):
        return f"{difference.name} has another value"
    return f"{difference.name} was {difference.before} and is {difference.after}"


def _suggest_rollback(changes: Sequence[AssessedDifference], advice: str | None) -> str | None:
    """What to put back: the rule's own advice, and the likeliest change that no rule says anything of."""
    first = next(
        (change for change in changes if change.category in _SETTING_CATEGORIES and change.rule is None), None
    )
    put_back = f"put {first.name} back to what it was{_format_previous(first.before)}" if first else None
    return "; ".join(filter(None, (advice, put_back))) or None


def _format_previous(before: Scalar) -> str:
    """A checksum tells nobody anything; a version or a commit does."""
    return "" if before in {PRESENT, ABSENT} or CHECKSUM_PATTERN.fullmatch(str(before)) else f" ({before})"


def _format_message(
    regressions: Sequence[AssessedDifference],
    changes: Sequence[AssessedDifference],
    reference_name: str | None,
) -> str:
    if reference_name is None:
        return "no state is known to be good yet, so there is nothing to compare with"
    if not regressions:
        suffix = f"; {_format_count(len(changes))} changed" if changes else ""
        return f"as good as {reference_name}{suffix}"
    first, *others = regressions
    others_suffix = f", and {len(others)} more" if others else ""
    return f"worse than {reference_name}: {first.message}{others_suffix}"


def _format_count(count: int) -> str:
    return "one thing" if count == 1 else f"{count} things"


def comparison_details(comparison: Comparison) -> dict[str, Any]:
    """The comparison as the error that it is carries it, in the seed's words."""
    return {
        "is_regression": comparison.is_regression,
        "regressions": [_dump_difference(change) for change in comparison.regressions],
        "changes": [_dump_difference(change) for change in comparison.changes],
        "last_known_good": comparison.last_known_good,
        "last_known_good_at": None if comparison.good_at is None else comparison.good_at.isoformat(),
        "time_since_last_good": comparison.time_since_last_good,
        "suggested_rollback": comparison.rollback,
        "message": comparison.message,
    }


def _dump_difference(change: AssessedDifference) -> dict[str, Any]:
    return change.model_dump(mode="json")
