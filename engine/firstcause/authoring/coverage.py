"""Computes which share of the reported errors the catalog covers, and drafts entries for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from firstcause.authoring import entry_draft
from firstcause.core.grouping.fingerprint import UNCATALOGUED, identify
from firstcause.core.grouping.message_template import extract_template
from firstcause.core.grouping.overflow import OVERFLOW_CODE
from firstcause.core.model import Event
from firstcause.core.text.error_codes import code_of
from firstcause.core.text.timestamps import format_time
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.store.database import Database


@dataclass(frozen=True)
class UncoveredFault:
    """An error without an entry. code: None where its events have none. message: the latest, None if none."""

    code: str | None
    message: str | None
    severity: str
    count: int
    last_seen: datetime

    def contains(self, text: str) -> bool:
        """Return whether the text is in the code or the message, in any case."""
        return text.casefold() in f"{self.code or ''}\n{self.message or ''}".casefold()

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "count": self.count,
            "last_seen": format_time(self.last_seen),
        }

    def draft_entry(self, catalog: Catalog) -> dict[str, Any]:
        """Draft an entry from the events, in the fields of a rule file."""
        pattern = entry_draft.build_message_pattern(self.message) if self.message else None
        code = code_of(self.code) if self.code else entry_draft.build_message_code(self.message or "")
        message_title = entry_draft.extract_title(
            entry_draft.format_parts(entry_draft.parse_message(self.message or ""))
        )
        title = message_title or entry_draft.split_name(code or "").capitalize()
        entry: dict[str, Any] = {
            "code": _choose_free_code(code or "UNNAMED_ERROR", catalog),
            "title": title or "Unnamed error",
            "category": entry_draft.guess_category(title).value,
            "severity": self.severity,
        }
        return entry | ({"match": [pattern]} if pattern else {})


def _choose_free_code(code: str, catalog: Catalog) -> str:
    """Return the code, with a number where the catalog has it already."""
    numbered = (f"{code}_{suffix}" for suffix in count(2))
    return next(candidate for candidate in chain([code], numbered) if catalog.get(candidate) is None)


@dataclass(frozen=True)
class Coverage:
    """The coverage. events: all ever. covered: those with an entry now. uncovered: most frequent first."""

    events: int
    covered: int
    uncovered: Sequence[UncoveredFault]

    @property
    def share(self) -> float:
        """The covered share of all events, 0 to 1; 1 where there are no events."""
        return self.covered / self.events if self.events else 1.0

    def to_dict(self, listed: Sequence[UncoveredFault]) -> dict[str, Any]:
        """Return the coverage as JSON. listed: the uncovered errors to include."""
        counts = {"events": self.events, "covered": self.covered, "share": round(self.share, 4)}
        return {"coverage": counts, "uncovered": [fault.to_dict() for fault in listed]}


def measure_coverage(database: Database, catalog: Catalog) -> Coverage:
    """Compute the coverage by the present catalog, also for events that came under an older one."""
    with database.read() as conn:
        rows = alerts.list_registered_codes(conn)
        uncovered_rows = {row["code"]: row for row in rows if catalog.get(row["code"]) is None}
        faults = alerts.list_faults(conn, list(uncovered_rows))
    uncatalogued = [fault for fault in faults if fault["code"] == UNCATALOGUED]
    matched_count = sum(fault["count"] for fault in uncatalogued if _is_catalogued(fault, catalog))
    uncovered = [*_iter_coded(uncovered_rows, faults), *_group_uncatalogued(uncatalogued, catalog)]
    events = sum(row["count"] for row in rows)
    # The overflow code stands for errors of many kinds, so its catalog entry does not describe them.
    overflow_count = sum(row["count"] for row in rows if row["code"] == OVERFLOW_CODE)
    return Coverage(
        events=events,
        covered=events
        - overflow_count
        - sum(row["count"] for row in uncovered_rows.values())
        + matched_count,
        uncovered=sorted(uncovered, key=lambda fault: (-fault.count, fault.code or "", fault.message or "")),
    )


def _is_catalogued(fault: Mapping[str, Any], catalog: Catalog) -> bool:
    event = Event(id="", time=fault["last_seen"], message=fault["message"])
    return identify(event, catalog).entry is not None


def _iter_coded(
    uncovered_rows: Mapping[str, Mapping[str, Any]], faults: Sequence[Mapping[str, Any]]
) -> Iterator[UncoveredFault]:
    messages = {fault["code"]: fault["message"] for fault in faults}
    for code, row in uncovered_rows.items():
        if code != UNCATALOGUED:
            yield UncoveredFault(code, messages.get(code), row["severity"], row["count"], row["last_seen"])


def _group_uncatalogued(faults: Sequence[Mapping[str, Any]], catalog: Catalog) -> Iterator[UncoveredFault]:
    """Group uncatalogued errors by message text, over all services."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for fault in faults:
        if not _is_catalogued(fault, catalog):
            groups.setdefault(extract_template(fault["message"] or ""), []).append(fault)
    for group in groups.values():
        last = max(group, key=lambda fault: fault["last_seen"])
        total = sum(fault["count"] for fault in group)
        yield UncoveredFault(None, last["message"], last["severity"], total, last["last_seen"])
