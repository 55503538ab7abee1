"""Alerts as Alertmanager and Prometheus send them, into events."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from firstcause import Event, IntakeError, Severity, code_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause_alertmanager.config import Config

NAME = "alertname"
_LONGEST_NAME = 200


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


def _nothing(value: object) -> object:
    return {} if value is None else value


Labels = Annotated[dict[str, Annotated[str, BeforeValidator(_text)]], BeforeValidator(_nothing)]


class Alert(BaseModel):
    """One alert, the same in both. endsAt: in the past where it is over; the year 1 stands for unknown."""

    model_config = ConfigDict(extra="ignore")

    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    status: str | dict[str, Any] | None = None
    started: AwareDatetime | None = Field(default=None, alias="startsAt")
    ended: AwareDatetime | None = Field(default=None, alias="endsAt")
    graph: str = Field(default="", alias="generatorURL")

    def is_over(self, now: datetime) -> bool:
        if isinstance(self.status, str):
            return self.status.lower() == "resolved"
        return self.ended is not None and self.ended.year > 1 and self.ended <= now


@dataclass(frozen=True)
class Reader:
    config: Config

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the hook's shape
        """IntakeError with what is wrong, where none of it is an alert."""
        now = datetime.now(UTC)
        return [self._event(_alert(index, each), now) for index, each in enumerate(_alerts(body))]

    def _event(self, alert: Alert, now: datetime) -> Event:
        labels, notes = alert.labels, alert.annotations
        name = labels.get(NAME, "")
        over = alert.is_over(now)
        details: dict[str, Any] = {"labels": labels, "annotations": notes}
        if alert.graph:
            details["generatorURL"] = alert.graph
        return Event(
            id=_id(alert, now, over=over),
            time=(alert.ended if over and alert.ended and alert.ended.year > 1 else alert.started) or now,
            code=code_of(name),
            message=notes.get("summary") or notes.get("description") or notes.get("message") or name or None,
            severity=self._severity(labels),
            service=_first(labels, self.config.service),
            tenant=_first(labels, self.config.tenant),
            details=details,
            resolved=over,
        )

    def _severity(self, labels: Mapping[str, str]) -> Severity | None:
        return self.config.severities.get(labels.get("severity", "").lower())


def _alerts(body: bytes) -> list[Any]:
    """A webhook has them under `alerts`, the API is a list of them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = f"the body is no JSON: {type(error).__name__}"
        raise IntakeError(msg) from None
    found = value.get("alerts") if isinstance(value, dict) else value
    if not isinstance(found, list):
        msg = "there are no alerts in it; send Alertmanager's webhook, or a list of alerts as to its API v2"
        raise IntakeError(msg, 422)
    return found


def _alert(index: int, value: object) -> Alert:
    try:
        alert = Alert.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, ("alerts", index, *first["loc"])))
        raise IntakeError(f"{where}: {first['msg']}", 422) from None
    if not alert.labels:
        msg = f"alerts.{index}.labels: an alert has at least one label"
        raise IntakeError(msg, 422)
    return alert


def _id(alert: Alert, now: datetime, *, over: bool) -> str:
    """An alert that goes on is sent again and again; it counts once an hour, which also keeps it alive."""
    labels = json.dumps(alert.labels, sort_keys=True)
    again = "over" if over else f"{now:%Y-%m-%dT%H}"
    told = f"{labels}|{alert.started}|{again}"
    return f"alertmanager:{hashlib.blake2b(told.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str | None:
    found = next((labels[name] for name in names if labels.get(name, "").strip()), None)
    return found[:_LONGEST_NAME] if found else None
