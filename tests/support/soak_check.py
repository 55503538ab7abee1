"""Compares what a soak's senders know to fire with the incidents, and these with what receivers were sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from support.unreliable_receivers import OWN_INCIDENT, Kind, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from support.soak_senders import Key, Sender

_OWN_CODES = ("FIRSTCAUSE_", "SYSTEM_REGRESSION_DETECTED")
"""How codes begin of what firstcause finds by itself."""

_MAX_UNNOTICED = timedelta(minutes=10)
"""How long an incident may last that nobody tried to tell of: it was over before the first look was."""

RECEIVER_COLUMNS = (
    "incidents", "begins", "ends", "marked repeats", "unmarked repeats", "over before told", "missing",
)  # fmt: skip
SENDER_COLUMNS = ("alerts fired", "parts", "firing", "open right", "over", "resolved right")


@dataclass
class Findings:
    """rows: of the table, by name. violations: a line each."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def format_table(self) -> str:
        width = max(map(len, self.rows))
        lines = []
        for name, row in self.rows.items():
            cells = ", ".join(f"{column} {count}" for column, count in row.items())
            lines.append(f"{name:{width}}  {cells}")
        return "\n".join([*lines, *(f"VIOLATION {line}" for line in self.violations)])


def _is_own(root: Mapping[str, Any]) -> bool:
    return str(root["code"]).startswith(_OWN_CODES)


def list_active_parts(incidents: Iterable[Mapping[str, Any]]) -> dict[Key, str]:
    """Every part that is active in the incidents, with the id of its incident."""
    return {
        (alert["code"], alert["service"] or "", part): incident["id"]
        for incident in incidents
        for alert in incident["alerts"]
        if alert["resolved_at"] is None and not _is_own(alert)
        for part in _list_parts(alert, active=True)
    }


def _list_parts(alert: Mapping[str, Any], *, active: bool) -> list[str]:
    parts = [part for part in alert["parts"] if not active or part["resolved_at"] is None]
    if not alert["parts"]:
        return [""]
    return [part["labels"].get("instance") or part["labels"].get("environment") or "" for part in parts]


def check_alerts(senders: Sequence[Sender], incidents: Sequence[dict[str, Any]], findings: Findings) -> None:
    """Exactly what fires is open, and what fired was seen."""
    theirs = [incident for incident in incidents if not _is_own(incident["root"])]
    still_open = [incident for incident in theirs if incident["status"] == "open"]
    open_parts = list_active_parts(still_open)
    left_active = list_active_parts(incident for incident in theirs if incident["status"] == "resolved")
    seen = {
        (alert["code"], alert["service"] or "", part)
        for incident in theirs
        for alert in incident["alerts"]
        for part in _list_parts(alert, active=False)
    }
    known: set[Key] = set()
    for sender in senders:
        firing = sender.list_firing()
        over = sender.ever - firing
        known |= sender.ever | firing
        findings.rows[sender.name] = {
            "alerts fired": sum(alert.began for alert in sender.alerts),
            "parts": len(sender.ever),
            "firing": len(firing),
            "open right": len(firing & open_parts.keys()),
            "over": len(over),
            "resolved right": len(over - open_parts.keys() - left_active.keys()),
        }
        findings.violations += [
            f"{sender.name}: {key} fires and is not open" for key in firing - open_parts.keys()
        ]
        findings.violations += [
            f"{sender.name}: {key} is over, and open in incident {open_parts[key]}"
            for key in over & open_parts.keys()
        ]
        findings.violations += [f"{sender.name}: {key} never had an incident" for key in sender.ever - seen]
    findings.violations += [
        f"{key} is in no sender, and open in incident {open_parts[key]}" for key in open_parts.keys() - known
    ]
    findings.violations += [f"{key} is active in resolved incident {id_}" for key, id_ in left_active.items()]
    findings.violations += [
        f"incident {incident['id']} ({incident['root']['code']}) is open without an active alert"
        for incident in still_open
        if all(alert["resolved_at"] is not None for alert in incident["alerts"])
    ]


@dataclass(frozen=True)
class Route:
    """A receiver and what is routed to it. tenant: None for every incident."""

    receiver: str
    notifier: str
    tenant: str | None

    def takes(self, incident: Mapping[str, Any]) -> bool:
        return self.tenant is None or any(alert["tenant"] == self.tenant for alert in incident["alerts"])


@dataclass
class _Story:
    """What one receiver was told of one incident, message by message."""

    knows_open: bool | None = None
    knows_flapping: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    repeats: list[str] = field(default_factory=list)

    def hear(self, message: Message) -> None:
        if message.kind in {Kind.END, Kind.LISTED_OVER}:
            is_repeat = self.knows_open is False
            self.counts["begins"] += message.kind is Kind.LISTED_OVER and self.knows_open is None
            self.counts["ends"] += 1
            self.knows_open, self.knows_flapping = False, False
        elif message.kind is Kind.FLAPPING:
            is_repeat = self.knows_flapping
            self.counts["begins"] += not self.knows_open
            self.knows_open = self.knows_flapping = True
        elif message.kind is Kind.BEGIN:
            is_repeat = self.knows_open is True
            self.counts["begins"] += 1
            self.knows_open = True
        else:
            is_repeat = False
            self.counts["begins"] += message.kind is Kind.LISTED_OPEN and not self.knows_open
            self.knows_flapping &= "NO LONGER FLAPPING" not in message.text
            self.knows_open = True
        if is_repeat:
            self.counts["marked repeats" if message.marked else "unmarked repeats"] += 1
            if not message.marked:
                self.repeats.append(message.text)


def check_receiver(
    route: Route, messages: Sequence[Message], incidents: Sequence[dict[str, Any]], findings: Findings
) -> None:
    """Who was told of a beginning was told of the end, and nothing twice without saying so."""
    told: defaultdict[int, list[Message]] = defaultdict(list)
    for message in sorted(messages, key=lambda message: message.arrived_at):
        told[message.incident].append(message)
    counts: Counter[str] = Counter()
    unknown = told.keys() - {OWN_INCIDENT, *(int(incident["id"]) for incident in incidents)}
    findings.violations += [f"{route.receiver}: was told of incident {id_}, which is none" for id_ in unknown]
    for incident in incidents:
        if _is_own(incident["root"]):
            continue
        heard = told.get(int(incident["id"]), [])
        name = f"{route.receiver}: incident {incident['id']} ({incident['root']['code']})"
        if not route.takes(incident):
            if heard:
                findings.violations.append(f"{name} is not routed to it, and told: {heard[0].text}")
            continue
        counts["incidents"] += 1
        story = _Story()
        for message in heard:
            story.hear(message)
        counts += story.counts
        findings.violations += [f"{name} is told twice, unmarked: {text}" for text in story.repeats]
        _check_end(route, incident, story, counts, findings, name)
    findings.rows[route.receiver] = {column: counts[column] for column in RECEIVER_COLUMNS}


def _check_end(
    route: Route,
    incident: Mapping[str, Any],
    story: _Story,
    counts: Counter[str],
    findings: Findings,
    name: str,
) -> None:
    """Check what the receiver knows at last. A merged incident ends with the one that it is part of."""
    status = incident["status"]
    if status == "open" and story.knows_open is not True:
        counts["missing"] += 1
        findings.violations.append(f"{name} is open, and the receiver was not told")
    elif status == "resolved" and story.knows_open is True:
        counts["missing"] += 1
        findings.violations.append(f"{name} is resolved, and the receiver was not told")
    elif status == "resolved" and story.knows_open is None:
        # It was over before an attempt succeeded: nobody has to know. Without any attempt it was forgotten.
        if _may_be_untold(incident, route.notifier):
            counts["over before told"] += 1
        else:
            counts["missing"] += 1
            findings.violations.append(f"{name} is resolved, and nobody tried to tell the receiver")
    if story.counts["ends"] and not story.counts["begins"]:
        findings.violations.append(f"{name} had an end without a beginning")


def _may_be_untold(incident: Mapping[str, Any], notifier: str) -> bool:
    if any(sent["notifier"] == notifier for sent in incident["notifications"]):
        return True
    opened, resolved = (datetime.fromisoformat(incident[name]) for name in ("opened_at", "resolved_at"))
    return resolved - opened < _MAX_UNNOTICED
