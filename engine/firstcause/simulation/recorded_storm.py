"""Recorded storms: one JSON object a line, with the call graph and the alerts with their times."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firstcause.core.fact_kinds import SymptomFact
from firstcause.core.facts import dependency_fact
from firstcause.core.model import Event, Severity
from firstcause.errors import IntakeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause.core.model import Fact

_START_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_MAX_REPEATS = 1000
_BATCH_WINDOW_S = 5
"""Seconds of a storm that are processed together, as a daemon under load does."""
_NON_CODE_CHARACTERS = re.compile(r"[^A-Z0-9]+")


class StormAlert(BaseModel):
    """One alert of a storm. t: seconds. count: how often it fired. score: times over its threshold."""

    service: str = Field(min_length=1, max_length=200)
    kind: str = Field(min_length=1, max_length=100)
    t: float = Field(ge=-1e8, le=1e9, allow_inf_nan=False)
    count: int = Field(default=1, ge=1)
    score: float | None = Field(default=None, allow_inf_nan=False)
    detail: str = ""


class Symptom(BaseModel):
    """The symptom that users notice: a metric at a service."""

    service: str
    metric: str


class ConfirmedRoot(BaseModel):
    """The component that was confirmed as the root."""

    service: str = Field(min_length=1, max_length=200)


class RecordedStorm(BaseModel):
    """One recorded storm. edges: pairs of caller and callee. Other fields of the line are ignored.

    root: the confirmed root, of a past storm to learn from; an object with `service`, or its name.
    """

    model_config = ConfigDict(extra="ignore")

    id: str
    services: list[str] = Field(default_factory=list)
    edges: list[tuple[str, str]] = Field(default_factory=list)
    alerts: list[StormAlert] = Field(min_length=1)
    symptom: Symptom | None = None
    root: ConfirmedRoot | str | None = None

    @property
    def confirmed_root(self) -> str | None:
        """The component that was confirmed as the root, None if that is not known."""
        return self.root.service if isinstance(self.root, ConfirmedRoot) else self.root

    def list_kinds(self) -> list[tuple[str, str]]:
        """List the component and the code of each alert."""
        return [(alert.service, _to_code(alert.kind)) for alert in self.alerts]

    def iter_batches(self) -> Iterator[tuple[datetime, list[Event]]]:
        """Yield the alerts as events, in batches of a few seconds, each with the time of its end."""
        by_time: dict[float, list[Event]] = {}
        for index, alert in enumerate(self.alerts):
            end = math.ceil(alert.t / _BATCH_WINDOW_S) * _BATCH_WINDOW_S
            by_time.setdefault(end, []).extend(_build_events(alert, index))
        for seconds in sorted(by_time):
            yield _offset_time(seconds), by_time[seconds]

    def build_facts(self) -> list[Fact]:
        """Build the facts of the call graph and of the symptom that users notice."""
        facts: list[Fact] = [dependency_fact(caller, callee) for caller, callee in dict.fromkeys(self.edges)]
        if self.symptom is not None:
            symptom = self.symptom
            facts.append(
                SymptomFact(id="symptom", component=symptom.service, metric=symptom.metric).to_fact()
            )
        return facts


def _offset_time(seconds: float) -> datetime:
    return _START_TIME + timedelta(seconds=seconds)


def _to_code(kind: str) -> str:
    code = _NON_CODE_CHARACTERS.sub("_", kind.upper()).strip("_") or "ALERT"
    return code if code[0].isalpha() else f"A_{code}"


def _build_events(alert: StormAlert, alert_index: int) -> list[Event]:
    details: dict[str, Any] = {} if alert.score is None else {"score": alert.score}
    return [
        Event(
            id=f"{alert_index}:{repetition}",
            time=_offset_time(alert.t),
            code=_to_code(alert.kind),
            message=alert.detail or None,
            service=alert.service,
            severity=Severity.WARNING,
            details=details,
        )
        for repetition in range(min(alert.count, _MAX_REPEATS))
    ]


def parse(line: str) -> RecordedStorm:
    """Read one line. IntakeError: the line is not a storm."""
    try:
        return RecordedStorm.model_validate(json.loads(line))
    except ValueError as error:
        if not isinstance(error, ValidationError):
            msg = f"no JSON: {error}"
            raise IntakeError(msg) from None
        first = error.errors(include_url=False, include_input=False)[0]
        location = ".".join(map(str, first["loc"]))
        msg = f"{location or 'the line'}: {first['msg']}"
        raise IntakeError(msg) from None
    except RecursionError:
        msg = "nested too deeply"
        raise IntakeError(msg) from None
