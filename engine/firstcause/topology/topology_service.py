"""Answers who calls whom, from where that is known, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.store import dependencies

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database

WRITTEN, SHIPPED, LEARNED = "written", "shipped", "learned"
_SHIPPED_CONFIDENCE = 0.5
_FRESH_CONFIDENCE, _FADED_CONFIDENCE = 0.9, 0.3


@dataclass(frozen=True)
class TopologyService:
    """The graph as it is known. learned_ttl_s: seconds after which a learned call is forgotten.

    site_calls: the calls that config.toml writes down.
    """

    database: Database
    rules: LiveRules
    learned_ttl_s: float
    site_calls: dict[str, tuple[str, ...]]

    def list_edges(self, now: datetime, component: str | None = None) -> list[dict[str, Any]]:
        """List {caller, callee, source, last_seen, age_s, confidence, why}, in order.

        component: only its calls, and those to it; None for all.
        """
        edges: dict[tuple[str, str], dict[str, Any]] = {}
        with self.database.read() as conn:
            learned = dependencies.list_with_times(conn, now - timedelta(seconds=self.learned_ttl_s))
        for caller, callee, last_seen in learned:
            edges[caller, callee] = self._describe_learned(caller, callee, last_seen, now)
        for caller, callee, source, why in self._list_written():
            confidence = 1.0 if source == WRITTEN else _SHIPPED_CONFIDENCE
            if source == WRITTEN or (caller, callee) not in edges:
                edges[caller, callee] = {
                    "caller": caller,
                    "callee": callee,
                    "source": source,
                    "last_seen": None,
                    "age_s": None,
                    "confidence": confidence,
                    "why": why,
                }
        selected = (edge for pair, edge in edges.items() if component is None or component in pair)
        return sorted(selected, key=lambda edge: (edge["caller"], edge["callee"]))

    def _describe_learned(
        self, caller: str, callee: str, last_seen: datetime, now: datetime
    ) -> dict[str, Any]:
        age_s = max(0.0, (now - last_seen).total_seconds())
        share = min(1.0, age_s / self.learned_ttl_s) if self.learned_ttl_s else 1.0
        confidence = _FRESH_CONFIDENCE - share * (_FRESH_CONFIDENCE - _FADED_CONFIDENCE)
        return {
            "caller": caller,
            "callee": callee,
            "source": LEARNED,
            "last_seen": last_seen.isoformat(),
            "age_s": round(age_s, 1),
            "confidence": round(confidence, 2),
            "why": f"an error of {caller} named {callee} as what it called",
        }

    def _list_written(self) -> list[tuple[str, str, str, str]]:
        book = self.rules.current.book
        rows = [
            (caller, callee, WRITTEN, "[topology.depends_on] of config.toml")
            for caller, callees in self.site_calls.items()
            for callee in callees
        ]
        for caller, callees in book.depends_on.items():
            site = book.site_depends_on.get(caller, ())
            rows += [
                (caller, callee, WRITTEN, f"a rule file of {caller} or its `topology`")
                if callee in site
                else (caller, callee, SHIPPED, f"the shipped rule file of {caller}")
                for callee in callees
            ]
        return rows
