"""One snapshot against another: all that differs, as facts for rules, and what the rules made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from firstcause.core.health.snapshot import ABSENT, COUNT, MILLISECONDS, PRESENT
from firstcause.core.model import Fact, Frozen, Scalar, Severity, Status, Time, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.health.baseline import Judgement
    from firstcause.core.health.outlier import Extreme
    from firstcause.core.health.snapshot import Errors, Observed, Snapshot

ENVIRONMENT = "environment"
CONFIGURATION = "configuration"
DEPLOYMENT = "deployment"
INFRASTRUCTURE = "infrastructure"
ERROR_RATE = "error_rate"
ERROR_TYPE = "error_type"
DATA = "data"
PERFORMANCE = "performance"
METRIC = "metric"
UNUSUAL = "unusual"
EXTREME = "extreme"

CATEGORIES = (
    ENVIRONMENT,
    CONFIGURATION,
    DEPLOYMENT,
    INFRASTRUCTURE,
    ERROR_RATE,
    ERROR_TYPE,
    DATA,
    PERFORMANCE,
    METRIC,
    UNUSUAL,
    EXTREME,
)
_MEASURED = {ERROR_RATE, PERFORMANCE, METRIC, UNUSUAL}
_SET = {ENVIRONMENT, CONFIGURATION, DEPLOYMENT}

CHECKSUM = re.compile("[0-9a-f]{12,64}")
"""What stands for a value that nobody may see, or that is too long to show."""

_SHOWN = 60


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was. name: setting, probe, error code, or `PROBE.MEASUREMENT`.

    since: when it was first seen so. count: occurrences, of an error; code: which one it is, or mostly is.
    score: how unlike its normal a component is; of a number, by how many of its ranges it is outside.
    """

    category: str
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
        """By how much a number grew."""
        if isinstance(self.before, str) or isinstance(self.after, str):
            return None
        return float(self.after) - float(self.before)

    @property
    def ratio(self) -> float | None:
        """How many times a number is what it was; None where it was 0."""
        if isinstance(self.before, str) or isinstance(self.after, str) or not self.before:
            return None
        return round(float(self.after) / float(self.before), 4)

    @property
    def measured(self) -> bool:
        """Whether it is never twice the same, so that it is worth showing only where it is a regression."""
        return self.category in _MEASURED

    @property
    def setting(self) -> bool:
        """Whether somebody set it: a variable, a file, a version."""
        return self.category in _SET

    @property
    def worse(self) -> bool:
        """Whether a status is a worse one; of anything else rules decide."""
        if self.category != INFRASTRUCTURE or self.after == ABSENT:
            return False
        return Status(str(self.after)).rank > Status(str(self.before)).rank


def differences(before: Snapshot, after: Snapshot, notable: float) -> list[Difference]:
    """All that differs. notable: numbers that differ by a smaller share of what they were do not."""
    found = [*_settings(before, after), *_statuses(before, after)]
    found += [*_errors(before, after), *_numbers(before, after, notable)]
    return found


def dated(found: Iterable[Difference], known: Mapping[str, datetime], now: datetime) -> list[Difference]:
    """Each with the time since which it is so: by its key among those known before, else now."""
    return [replace(each, since=min(known.get(each.key, now), now)) for each in found]


def _settings(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    for name, was in before.configuration.items():
        now = after.configuration.get(name, was)
        if ABSENT in {was, now} and was != now:
            one, other = (each if each == ABSENT else PRESENT for each in (was, now))
            yield Difference(ENVIRONMENT, None, name, one, other)
        elif was != now and PRESENT not in {was, now}:
            yield Difference(ENVIRONMENT, None, name, was, now)
    for probe, old, new in _both(before, after):
        for name in dict.fromkeys((*old.words, *new.words)):
            was, now = old.words.get(name, ABSENT), new.words.get(name, ABSENT)
            if was != now and old.words and new.words:
                yield Difference(CONFIGURATION, new.component, f"{probe}.{name}", was, now)


def _statuses(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    for probe, old, new in _both(before, after):
        if old.status is not new.status:
            yield Difference(INFRASTRUCTURE, new.component, probe, old.status.value, new.status.value)
    for probe, old in before.infrastructure.items():
        if probe not in after.infrastructure:
            yield Difference(INFRASTRUCTURE, old.component, probe, old.status.value, ABSENT)


def _both(before: Snapshot, after: Snapshot) -> Iterator[tuple[str, Observed, Observed]]:
    for probe, old in before.infrastructure.items():
        if (new := after.infrastructure.get(probe)) is not None:
            yield probe, old, new


def _errors(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    old, new = before.errors, after.errors
    if old.per_minute != new.per_minute:
        code = _grew_most(old, new)
        yield Difference(
            ERROR_RATE, None, "errors", old.per_minute, new.per_minute, count=new.total, code=code
        )
    counts = dict(new.top)
    for code in new.new:
        count = counts.get(code, 1)
        came = "once" if count == 1 else f"{count} times"
        yield Difference(ERROR_TYPE, None, code, "never seen", came, count=count, code=code)


def _grew_most(old: Errors, new: Errors) -> str | None:
    before = dict(old.top)
    return max(new.top, key=lambda each: each[1] - before.get(each[0], 0), default=(None, 0))[0]


def _numbers(before: Snapshot, after: Snapshot, notable: float) -> Iterator[Difference]:
    for probe, old, new in _both(before, after):
        now = new.numbers
        for name, was in old.numbers.items():
            if name in now and abs(now[name] - was) > notable * abs(was):
                yield Difference(_kind(name), new.component, f"{probe}.{name}", was, now[name])


def _kind(name: str) -> str:
    if name.endswith(MILLISECONDS):
        return PERFORMANCE
    return DATA if name == COUNT or name.endswith(f"_{COUNT}") else METRIC


def unusual(component: str, found: Judgement) -> Difference:
    """A component whose numbers are together not what is normal for it at this hour."""
    within = [
        f"{each.name} {each.usual.middle - 2 * each.usual.spread:.4g} to "
        f"{each.usual.middle + 2 * each.usual.spread:.4g}"
        for each in found.worst
    ]
    now = [f"{each.name} {each.value:.4g}" for each in found.worst]
    score = round(found.score, 1)
    return Difference(UNUSUAL, component, component, ", ".join(within), ", ".join(now), score=score)


def extreme(component: str, name: str, found: Extreme) -> Difference:
    """A number that is beyond all that it was for a long time."""
    within = f"{found.low:.4g} to {found.high:.4g}"
    return Difference(EXTREME, component, name, within, round(found.value, 4), score=round(found.score, 2))


def difference_facts(found: Iterable[Difference], regressions: Collection[str] = ()) -> list[Fact]:
    """Each with its numbers where it has any. regressions: keys of those that rules called so."""
    return [_fact(each, regressions) for each in found]


def _fact(each: Difference, regressions: Collection[str]) -> Fact:
    fact: Fact = {
        "kind": "difference",
        "id": f"difference:{each.key}",
        "category": each.category,
        "component": each.component,
        "name": each.name,
        "before": each.before,
        "after": each.after,
        "change": each.change,
        "ratio": each.ratio,
        "count": each.count,
        "code": each.code,
        "score": each.score,
        "worse": each.worse,
        "regression": each.key in regressions,
    }
    return {name: value for name, value in fact.items() if value is not None}


class Changed(Frozen):
    """A difference, and what a rule said of it. severity: INFO where none did.

    likelihood: how likely it explains the regression, 0 to 1, None where it is itself what is to explain.
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
    regressions: tuple[Changed, ...] = ()
    changes: tuple[Changed, ...] = ()
    code: str | None = None
    severity: Severity = Severity.INFO
    rollback: str | None = None
    last_known_good: str | None = None
    good_at: Time | None = None
    time_since_last_good: float | None = None
    message: str = ""


def compared(
    found: Sequence[Difference],
    verdicts: Iterable[Verdict],
    likelihoods: Mapping[str, float],
    good: tuple[str, datetime] | None,
    now: datetime,
    than: str = "the last known good state",
) -> Comparison:
    """verdicts: of all rules. likelihoods: by key. good: number and time of the last known good state.

    than: what it is compared with, in words.
    """
    said = _strongest(verdicts)
    changed = {each.key: _changed(each, said.get(f"difference:{each.key}"), likelihoods) for each in found}
    regressions = sorted(
        (one for key, one in changed.items() if f"difference:{key}" in said),
        key=lambda one: -one.severity.rank,
    )
    shown = [changed[each.key] for each in found if not each.measured or f"difference:{each.key}" in said]
    shown.sort(key=lambda one: (-(one.likelihood or 0), -one.severity.rank))
    worst = next(
        (said[f"difference:{regressions[0].category}:{regressions[0].name}"] for _ in regressions), None
    )
    raised = worst.raises if worst is not None else None
    since = max(0.0, (now - good[1]).total_seconds() / 60) if good else None
    return Comparison(
        is_regression=bool(regressions),
        regressions=tuple(regressions),
        changes=tuple(shown[:_SHOWN]),
        code=raised.code if raised else None,
        severity=raised.severity if raised else Severity.INFO,
        rollback=_rollback(shown, raised.rollback if raised else None),
        last_known_good=good[0] if good else None,
        good_at=good[1] if good else None,
        time_since_last_good=None if since is None else round(since, 1),
        message=_message(regressions, shown, than if good else None),
    )


def _strongest(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The regression that holds of each fact: of the rule of the highest priority."""
    best: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.verdict is VerdictKind.REGRESSION:
            held = best.get(verdict.of)
            if held is None or verdict.priority > held.priority:
                best[verdict.of] = verdict
    return best


def _changed(each: Difference, said: Verdict | None, likelihoods: Mapping[str, float]) -> Changed:
    raised = said.raises if said is not None else None
    return Changed(
        category=each.category,
        component=each.component,
        name=each.name,
        before=each.before,
        after=each.after,
        severity=raised.severity if raised else Severity.INFO,
        message=said.because if said else _plainly(each),
        since=each.since,
        rule=said.rule if said else None,
        likelihood=likelihoods.get(each.key),
    )


def _plainly(each: Difference) -> str:
    if each.category == EXTREME:
        return f"{each.name} is {each.after:.4g}, and was {each.before} for long"
    if each.category == INFRASTRUCTURE and each.after == ABSENT:
        return f"{each.name} is not looked at any more, and was {each.before}"
    if each.category == ERROR_TYPE:
        return f"{each.name} was {each.before} before"
    if each.setting and CHECKSUM.fullmatch(str(each.before)) and CHECKSUM.fullmatch(str(each.after)):
        return f"{each.name} has another value"
    return f"{each.name} was {each.before} and is {each.after}"


def _rollback(shown: Sequence[Changed], advice: str | None) -> str | None:
    """What to put back: the rule's own advice, and the likeliest change that no rule says anything of."""
    first = next((one for one in shown if one.category in _SET and one.rule is None), None)
    put_back = f"put {first.name} back to what it was{_was(first.before)}" if first else None
    return "; ".join(filter(None, (advice, put_back))) or None


def _was(before: Scalar) -> str:
    """A checksum tells nobody anything; a version or a commit does."""
    return "" if before in {PRESENT, ABSENT} or CHECKSUM.fullmatch(str(before)) else f" ({before})"


def _message(regressions: Sequence[Changed], shown: Sequence[Changed], than: str | None) -> str:
    if than is None:
        return "no state is known to be good yet, so there is nothing to compare with"
    if not regressions:
        more = f"; {_things(len(shown))} changed" if shown else ""
        return f"as good as {than}{more}"
    first, *others = regressions
    also = f", and {len(others)} more" if others else ""
    return f"worse than {than}: {first.message}{also}"


def _things(number: int) -> str:
    return "one thing" if number == 1 else f"{number} things"


def details(comparison: Comparison) -> dict[str, Any]:
    """The comparison as the error that it is carries it, in the seed's words."""
    return {
        "is_regression": comparison.is_regression,
        "regressions": [_listed(one) for one in comparison.regressions],
        "changes": [_listed(one) for one in comparison.changes],
        "last_known_good": comparison.last_known_good,
        "last_known_good_at": None if comparison.good_at is None else comparison.good_at.isoformat(),
        "time_since_last_good": comparison.time_since_last_good,
        "suggested_rollback": comparison.rollback,
        "message": comparison.message,
    }


def _listed(one: Changed) -> dict[str, Any]:
    return one.model_dump(mode="json")
