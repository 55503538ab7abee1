"""The catalog: what is known about each error code, and which entry an event belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import chain
from typing import Annotated

from pydantic import Field, StringConstraints

from firstcause.core.model import Category, Frozen, Priority, Revenue, Severity, TenantScope
from firstcause.core.text.similarity import MIN_SCORE, IndexedEntry, NearestEntry, SimilarityIndex

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=120)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Fix(Frozen):
    """How to fix the error: links, the settings concerned, and the steps in order."""

    url: Text | None = None
    ui_url: Text | None = None
    config_file: Text | None = None
    env_vars: tuple[Text, ...] = ()
    steps: tuple[Text, ...] = ()


class Verify(Frozen):
    """How to verify the fix. probe: the name of the probe whose UP proves it."""

    steps: tuple[Text, ...] = ()
    probe: Text | None = None


class EntryImpact(Frozen):
    """What the error hits by its nature, before anything is seen of a given case."""

    features: tuple[Text, ...] = ()
    tenants: TenantScope = TenantScope.NONE
    revenue: Revenue = Revenue.NONE
    priority: Priority = Priority.P2


class EntryBody(Frozen):
    """What a rule file's `catalog` says of one error."""

    code: Code
    title: Text
    category: Category
    severity: Severity
    customer_facing: bool = False
    match: tuple[Text, ...] = ()
    causes: tuple[Code, ...] = ()
    fix: Fix = Field(default_factory=Fix)
    reproduce: tuple[Text, ...] = ()
    verify: Verify = Field(default_factory=Verify)
    docs: Text | None = None
    common_causes: tuple[Text, ...] = ()
    related: tuple[Code, ...] = ()
    impact: EntryImpact = Field(default_factory=EntryImpact)


class Entry(EntryBody):
    """One known error, and the component of the file that it stands in."""

    component: Text


Matcher = Callable[[str], str | None]
"""From an error text to the code whose `match` fits, None where none does."""


_MAX_CACHED_TEXTS = 4096
"""Texts whose nearest entry is remembered: a storm asks for the same few again and again."""


def _to_indexed_entry(entry: Entry) -> IndexedEntry:
    lists = (entry.common_causes, entry.fix.steps, entry.reproduce, entry.verify.steps)
    return IndexedEntry(entry.code, entry.title, "\n".join((entry.component, *chain.from_iterable(lists))))


class Catalog:
    """Entries by code, and the lookup by message text.

    likeness: from which score on (0 to 1, see core.similarity) a text that no pattern fits is taken for
    an entry's; above 1 it never is.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        match: Matcher = lambda _text: None,
        likeness: float = MIN_SCORE,
    ) -> None:
        self.entries: Mapping[str, Entry] = {entry.code: entry for entry in entries}
        self._match = match
        self._likeness = likeness
        self._nearest_by_text: dict[str, NearestEntry | None] = {}

    @cached_property
    def _similarity_index(self) -> SimilarityIndex:
        return SimilarityIndex(_to_indexed_entry(entry) for entry in self.entries.values())

    def find_nearest(self, text: str) -> NearestEntry | None:
        """The entry whose words a text has, and how like it is; None where none is near enough.

        Every call searches again: pass a text that is the same for all occurrences of an error.
        """
        if text not in self._nearest_by_text:
            if len(self._nearest_by_text) >= _MAX_CACHED_TEXTS:
                self._nearest_by_text.clear()
            self._nearest_by_text[text] = self._similarity_index.find_confident(text, self._likeness)
        return self._nearest_by_text[text]

    def get(self, code: str | None) -> Entry | None:
        return self.entries.get(code) if code is not None else None

    @cached_property
    def _features_by_component(self) -> Mapping[str, tuple[str, ...]]:
        collected: dict[str, dict[str, None]] = {}
        for entry in self.entries.values():
            collected.setdefault(entry.component, {}).update(dict.fromkeys(entry.impact.features))
        return {component: tuple(features) for component, features in collected.items()}

    def features_of(self, component: str | None) -> tuple[str, ...]:
        """What stands on a component, by all that its entries say."""
        return self._features_by_component.get(component, ()) if component is not None else ()

    def match_message(self, text: str | None) -> Entry | None:
        """The entry whose pattern fits the text; the first in the order of the files."""
        return self.get(self._match(text)) if text else None

    def env_vars(self) -> frozenset[str]:
        """Names of all environment variables that any entry's fix speaks of."""
        return frozenset(name for entry in self.entries.values() for name in entry.fix.env_vars)
