"""How much of what is reported the catalog knows, and entries to begin with for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from firstcause.authoring import entry_draft
from firstcause.core.grouping.fingerprint import UNCATALOGUED, identify
from firstcause.core.grouping.message_template import template
from firstcause.core.grouping.overflow import FURTHER
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
class Uncovered:
    """An error without an entry. code: None where its events have none; message: the latest, if any."""

    code: str | None
    message: str | None
    severity: str
    count: int
    last_seen: datetime

    def has(self, text: str) -> bool:
        """Whether the text is in its code or message, in any case."""
        return text.casefold() in f"{self.code or ''}\n{self.message or ''}".casefold()

    def answer(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "count": self.count,
            "last_seen": format_time(self.last_seen),
        }

    def draft(self, catalog: Catalog) -> dict[str, Any]:
        """An entry to begin with: what the events themselves say, in the fields of a rule file."""
        pattern = entry_draft.message_pattern(self.message) if self.message else None
        code = code_of(self.code) if self.code else entry_draft.message_code(self.message or "")
        said = entry_draft.title_of(entry_draft.shown(entry_draft.message_parts(self.message or "")))
        title = said or entry_draft.name_words(code or "").capitalize()
        entry: dict[str, Any] = {
            "code": _free(code or "UNNAMED_ERROR", catalog),
            "title": title or "Unnamed error",
            "category": entry_draft.category_of(title).value,
            "severity": self.severity,
        }
        return entry | ({"match": [pattern]} if pattern else {})


def _free(code: str, catalog: Catalog) -> str:
    """The code, with a number where it is taken."""
    numbered = (f"{code}_{number}" for number in count(2))
    return next(each for each in chain([code], numbered) if catalog.get(each) is None)


@dataclass(frozen=True)
class Coverage:
    """events: all ever counted; covered: those with an entry now. uncovered: the most frequent first."""

    events: int
    covered: int
    uncovered: Sequence[Uncovered]

    @property
    def share(self) -> float:
        """0 to 1; 1 where nothing was reported."""
        return self.covered / self.events if self.events else 1.0

    def answer(self, listed: Sequence[Uncovered]) -> dict[str, Any]:
        """listed: those of the uncovered that were asked for."""
        counts = {"events": self.events, "covered": self.covered, "share": round(self.share, 4)}
        return {"coverage": counts, "uncovered": [each.answer() for each in listed]}


def coverage(database: Database, catalog: Catalog) -> Coverage:
    """By the catalog as it is now, whatever it was when the events came."""
    with database.read() as conn:
        rows = alerts.registered(conn)
        lacking = {row["code"]: row for row in rows if catalog.get(row["code"]) is None}
        found = alerts.faults(conn, list(lacking))
    bare = [fault for fault in found if fault["code"] == UNCATALOGUED]
    known = sum(fault["count"] for fault in bare if _is_known(fault, catalog))
    missing = [*_coded(lacking, found), *_bare(bare, catalog)]
    events = sum(row["count"] for row in rows)
    # Of too many kinds to be told apart here; that the catalog has a word for that does not describe them.
    further = sum(row["count"] for row in rows if row["code"] == FURTHER)
    return Coverage(
        events=events,
        covered=events - further - sum(row["count"] for row in lacking.values()) + known,
        uncovered=sorted(missing, key=lambda each: (-each.count, each.code or "", each.message or "")),
    )


def _is_known(fault: Mapping[str, Any], catalog: Catalog) -> bool:
    event = Event(id="", time=fault["last_seen"], message=fault["message"])
    return identify(event, catalog).entry is not None


def _coded(
    lacking: Mapping[str, Mapping[str, Any]], faults: Sequence[Mapping[str, Any]]
) -> Iterator[Uncovered]:
    messages = {fault["code"]: fault["message"] for fault in faults}
    for code, row in lacking.items():
        if code != UNCATALOGUED:
            yield Uncovered(code, messages.get(code), row["severity"], row["count"], row["last_seen"])


def _bare(faults: Sequence[Mapping[str, Any]], catalog: Catalog) -> Iterator[Uncovered]:
    """One for each text, whichever services said it."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for fault in faults:
        if not _is_known(fault, catalog):
            alike.setdefault(template(fault["message"] or ""), []).append(fault)
    for group in alike.values():
        last = max(group, key=lambda fault: fault["last_seen"])
        total = sum(fault["count"] for fault in group)
        yield Uncovered(None, last["message"], last["severity"], total, last["last_seen"])
