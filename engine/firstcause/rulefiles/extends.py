"""`extends`: catalog entries that change another, or that begin as a copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.core.catalog import EntryBody
from firstcause.rulefiles.rule_file import Item, Source, validated
from firstcause.rulefiles.validation_messages import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from firstcause.rulefiles.yaml_reader import Path

WORD = "extends"


@dataclass(frozen=True)
class _Extension:
    """An entry with `extends`. Without a code of its own it changes the entry that it extends."""

    source: Source
    path: Path
    raw: dict[str, Any]

    @property
    def base(self) -> Any:
        return self.raw[WORD]

    @property
    def changes(self) -> bool:
        return "code" not in self.raw or bool(self.raw["code"] == self.base)


def inherit(sources: Sequence[Source]) -> None:
    """Put every extension in its place among the entries of the sources, or among their mistakes.

    A change stands where the entry stood that it changes, of several the last holds; entries that
    extend an entry see it changed.
    """
    pending = [each for source in sources for each in _extensions(source)]
    if not pending:
        return
    broken: set[str] = {code for source in sources for code in source.codes}
    while ready := _ready(pending, _by_code(sources)):
        for each in ready:
            _apply(each, _by_code(sources)[each.base])
        pending = [each for each in pending if each not in ready]
    known = _by_code(sources)
    for each in pending:
        if each.base in broken - known.keys() and not _circular(each, pending):
            continue  # what it extends has mistakes of its own, which are said there
        each.source.mistakes.append(each.source.mistake((*each.path, WORD), _unfit(each, pending, known)))


def _extensions(source: Source) -> list[_Extension]:
    parts = source.document.data.get("catalog") if source.document.data else None
    return [
        _Extension(source, ("catalog", number), part)
        for number, part in enumerate(parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and WORD in part
    ]


def _by_code(sources: Iterable[Source]) -> dict[Any, tuple[Source, int]]:
    """Where each entry stands: its source, and its number among the source's entries."""
    return {
        item.value.code: (source, number)
        for source in sources
        for number, item in reversed(list(enumerate(source.entries)))
    }


def _ready(pending: Sequence[_Extension], known: dict[Any, tuple[Source, int]]) -> list[_Extension]:
    """Changes of entries that are there; else new entries whose base is there and changes no more."""
    there = [each for each in pending if isinstance(each.base, str) and each.base in known]
    return [each for each in there if each.changes] or there


def _apply(extension: _Extension, place: tuple[Source, int]) -> None:
    home, number = place
    base = home.entries[number]
    own = {key: value for key, value in extension.raw.items() if key != WORD}
    merged = _merged(base.raw, own)
    value = validated(extension.source, extension.path, merged, EntryBody)
    if value is None:
        return
    item = Item(extension.source, extension.path, value, merged)
    if extension.changes:
        home.entries[number] = item
    else:
        extension.source.entries.append(item)


def _merged(base: Any, own: Any) -> Any:
    """Mappings are merged key by key; anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    return {**base, **{key: _merged(base.get(key), value) for key, value in own.items()}}


def _circular(extension: _Extension, pending: Sequence[_Extension]) -> bool:
    return any(other.raw.get("code") == extension.base for other in pending)


def _unfit(extension: _Extension, pending: Sequence[_Extension], known: dict[Any, Any]) -> str:
    if not isinstance(extension.base, str):
        return "extends names the code of one entry, such as TWILIO_API_FAILURE"
    if _circular(extension, pending):
        return f"extends goes in a circle by way of {extension.base}; write one of the entries out"
    mend = nearest(extension.base, sorted(known)) or "; add it to a catalog, or correct it"
    return f"unknown code '{extension.base}'{mend}"
