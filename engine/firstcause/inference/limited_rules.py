"""Remembers the rules that ran out: they would make too many combinations of facts, so they rest."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

REST = timedelta(minutes=5)
"""How long a rule that ran out is switched off in its scope."""

_MAX_SCOPES = 10_000
"""Scopes that are remembered; in others, a rule is only left out of each evaluation."""


@dataclass(frozen=True)
class LimitedRule:
    """A rule that is switched off.

    scope: the tenant whose alerts were too many, None for the platform. limit: combinations of facts that it
    may make. since: it ran out first; until: it is tried again.
    """

    rule: str
    file: str
    line: int
    scope: str | None
    limit: int
    since: datetime
    until: datetime

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


class LimitedRules:
    """The rules that are switched off, by scope and rule. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_scope: dict[str | None, dict[int, LimitedRule]] = {}

    def switch_off(self, rule_index: int, limited: LimitedRule) -> bool:
        """Switch a rule off in a scope; whether that is news. A rule that keeps running out keeps `since`."""
        with self._lock:
            if limited.scope not in self._by_scope and len(self._by_scope) >= _MAX_SCOPES:
                return False
            rules = self._by_scope.setdefault(limited.scope, {})
            before = rules.get(rule_index)
            is_news = before is None
            if before is not None:
                limited = replace(limited, since=before.since)
            rules[rule_index] = limited
            return is_news

    def list_off(self, scope: str | None, now: datetime) -> set[int]:
        """List the indexes of the rules that are off in a scope."""
        with self._lock:
            rules = self._by_scope.get(scope, {})
            return {index for index, limited in rules.items() if limited.until > now}

    def end_rests(self, scope: str | None, now: datetime) -> None:
        """Forget the rules that were tried again in a scope and did not run out."""
        with self._lock:
            rules = self._by_scope.get(scope, {})
            for index in [index for index, limited in rules.items() if limited.until <= now]:
                del rules[index]

    def list_all(self, now: datetime) -> list[LimitedRule]:
        """List what is switched off, in any scope, the first rule that ran out first.

        A rule stays listed until it is tried again, or nothing has been evaluated in its scope for long.
        """
        with self._lock:
            for scope, rules in list(self._by_scope.items()):
                if all(limited.until + REST < now for limited in rules.values()):
                    del self._by_scope[scope]
            off = [limited for rules in self._by_scope.values() for limited in rules.values()]
        return sorted(off, key=lambda limited: (limited.since, limited.rule, limited.scope or ""))
