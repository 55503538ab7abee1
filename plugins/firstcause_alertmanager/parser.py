"""Alerts as Alertmanager and Prometheus send them, into events."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, Severity, code_of, decode_json, parse_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause import IntakeResult
    from firstcause_alertmanager.config import Config

NAME_LABEL = "alertname"
_MAX_NAME_LENGTH = 200
# Grafana's rules may share a name; the address of an alert holds the id of its rule.
_RULE_IN_URL = re.compile(r"/alerting/(?:grafana/)?([\w.-]{1,80})/(?:view|edit)")


def _read_texts(value: object) -> dict[str, str]:
    """Read labels or annotations. An alert with an odd value is an alert too; null means none."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(name): _to_text(item) for name, item in pairs if item is not None}


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse_time(value: object) -> datetime | None:
    """Parse a time; None for anything else, as an alert with an odd time is an alert too."""
    with suppress(ValueError):
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value.strip())
            return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return None


@dataclass(frozen=True)
class Alert:
    """One alert, the same in both formats. ended: in the past if it is resolved; year 1 means unknown."""

    labels: dict[str, str]
    annotations: dict[str, str]
    status: object
    started: datetime | None
    ended: datetime | None
    generator_url: str

    def is_resolved(self, now: datetime) -> bool:
        if isinstance(self.status, str):
            return self.status.lower() == "resolved"
        return self.ended is not None and self.ended.year > 1 and self.ended <= now


_COLLECTD_SEVERITIES = frozenset({"FAILURE", "WARNING", "OKAY", "UNKNOWN"})
"""How collectd writes the state of a notification; `OKAY` says that it is over."""


@dataclass(frozen=True)
class Parser:
    config: Config

    def parse(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:  # noqa: ARG002 - the hook's shape
        """Parse the alerts; invalid ones are rejected. IntakeError: the body has no list of alerts.

        Alertmanager never sends again what gets a 4xx, so one invalid alert must not refuse its group.
        """
        now = datetime.now(UTC)
        return parse_items(
            _extract_alerts(body),
            lambda index, item: self._build_event(_read_alert(index, item), now),
        )

    def _build_event(self, alert: Alert, now: datetime) -> Event:
        labels, annotations = alert.labels, alert.annotations
        name = labels.get(NAME_LABEL, "")
        is_collectd = labels.get("severity") in _COLLECTD_SEVERITIES
        resolved = alert.is_resolved(now) or (is_collectd and labels["severity"] == "OKAY")
        rule = _RULE_IN_URL.search(alert.generator_url)
        details: dict[str, Any] = {"labels": labels, "annotations": annotations}
        if alert.generator_url:
            details["generatorURL"] = alert.generator_url
        return Event(
            # Alertmanager repeats an active alert in the same words. Each report says: it is still active.
            id=f"alertmanager:{uuid.uuid4().hex}",
            time=_choose_time(alert, now, resolved=resolved),
            code=code_of(name),
            message=annotations.get("summary")
            or annotations.get("description")
            or annotations.get("message")
            or name
            or None,
            severity=self._map_severity(labels),
            service=_select_label(labels, self.config.service),
            tenant=_select_label(labels, self.config.tenant),
            details=details,
            # collectd's severity is the alert's state, and none of the labels that tell its parts apart.
            labels={name: value for name, value in labels.items() if name != "severity" or not is_collectd}
            | ({"rule": rule[1]} if rule else {}),
            resolved=resolved,
            announces_end=True,
            expires_at=alert.ended if not resolved and alert.ended and alert.ended > now else None,
        )

    def _map_severity(self, labels: Mapping[str, str]) -> Severity | None:
        word = labels.get("severity", "").strip()
        if word == "FAILURE":
            word = "critical"
        return self.config.severities.get(word.lower()) or Severity.from_word(word)


def _extract_alerts(body: bytes) -> list[Any]:
    """A webhook has them under `alerts`, the API is a list of them."""
    try:
        value = decode_json(body)
    except (ValueError, RecursionError) as error:
        msg = f"the body is not JSON: {type(error).__name__}"
        raise IntakeError(msg) from None
    alerts = value.get("alerts") if isinstance(value, dict) else value
    if not isinstance(alerts, list):
        msg = "the body has no alerts; send Alertmanager's webhook, or a list of alerts as for its API v2"
        raise IntakeError(msg, 422)
    return alerts


def _read_alert(index: int, value: object) -> Alert:
    """Read an alert; what is odd in it counts as missing. IntakeError where it is none."""
    if not isinstance(value, dict):
        msg = f"alerts.{index}: an alert is a JSON object"
        raise IntakeError(msg, 422)
    url = value.get("generatorURL")
    alert = Alert(
        labels=_read_texts(value.get("labels")),
        annotations=_read_texts(value.get("annotations")),
        status=value.get("status"),
        started=_parse_time(value.get("startsAt")),
        ended=_parse_time(value.get("endsAt")),
        generator_url=url if isinstance(url, str) else "",
    )
    if not alert.labels:
        msg = f"alerts.{index}.labels: an alert has at least one label"
        raise IntakeError(msg, 422)
    return alert


def _choose_time(alert: Alert, now: datetime, *, resolved: bool) -> datetime:
    """When the alert ended, or when it began. Year 1 means unknown."""
    times = (alert.ended, alert.started) if resolved else (alert.started,)
    return next((time for time in times if time is not None and time.year > 1), now)


def _select_label(labels: Mapping[str, str], names: Sequence[str]) -> str | None:
    value = next((labels[name] for name in names if labels.get(name, "").strip()), None)
    return value[:_MAX_NAME_LENGTH] if value else None
