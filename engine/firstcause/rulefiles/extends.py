"""Applies `extends`: catalog entries that change another entry, or that begin as a copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.core.catalog import EntryBody
from firstcause.core.text.spelling import suggest_nearest
from firstcause.rulefiles.rule_file import RuleSource, SourceItem, validate_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from firstcause.rulefiles.yaml_reader import YamlPath

EXTENDS_KEY = "extends"


@dataclass(frozen=True)
class _Extension:
    """An entry with `extends`. Without a code of its own it changes the entry that it extends."""

    source: RuleSource
    path: YamlPath
    raw: dict[str, Any]

    @property
    def base(self) -> Any:
        return self.raw[EXTENDS_KEY]

    @property
    def is_override(self) -> bool:
        return "code" not in self.raw or bool(self.raw["code"] == self.base)


def apply_extensions(sources: Sequence[RuleSource]) -> None:
    """Apply every extension to the entries of the sources, or add it to their mistakes.

    A change takes the place of the entry that it changes; of several changes the last one holds. Entries
    that extend an entry start from the changed one.
    """
    pending = [extension for source in sources for extension in _collect_extensions(source)]
    if not pending:
        return
    all_codes: set[str] = {code for source in sources for code in source.codes}
    while ready := _select_ready(pending, _locate_entries(sources)):
        for extension in ready:
            _apply_extension(extension, _locate_entries(sources)[extension.base])
        pending = [extension for extension in pending if extension not in ready]
    entry_locations = _locate_entries(sources)
    for extension in pending:
        if extension.base in all_codes - entry_locations.keys() and not _is_circular(extension, pending):
            continue  # the extended entry has mistakes of its own, which are reported there
        extension.source.mistakes.append(
            extension.source.build_mistake(
                (*extension.path, EXTENDS_KEY), _describe_problem(extension, pending, entry_locations)
            )
        )


def _collect_extensions(source: RuleSource) -> list[_Extension]:
    raw_entries = source.document.data.get("catalog") if source.document.data else None
    return [
        _Extension(source, ("catalog", index), raw_entry)
        for index, raw_entry in enumerate(raw_entries if isinstance(raw_entries, list) else ())
        if isinstance(raw_entry, dict) and EXTENDS_KEY in raw_entry
    ]


def _locate_entries(sources: Iterable[RuleSource]) -> dict[Any, tuple[RuleSource, int]]:
    """Map each code to its source and its position among the source's entries."""
    return {
        item.value.code: (source, index)
        for source in sources
        for index, item in reversed(list(enumerate(source.entries)))
    }


def _select_ready(
    pending: Sequence[_Extension], entry_locations: dict[Any, tuple[RuleSource, int]]
) -> list[_Extension]:
    """Select the changes of existing entries; else the new entries whose base exists and is final."""
    candidates = [
        extension
        for extension in pending
        if isinstance(extension.base, str) and extension.base in entry_locations
    ]
    return [extension for extension in candidates if extension.is_override] or candidates


def _apply_extension(extension: _Extension, location: tuple[RuleSource, int]) -> None:
    base_source, index = location
    base = base_source.entries[index]
    overrides = {key: value for key, value in extension.raw.items() if key != EXTENDS_KEY}
    merged = _merge_values(base.raw, overrides)
    value = validate_part(extension.source, extension.path, merged, EntryBody)
    if value is None:
        return
    item = SourceItem(extension.source, extension.path, value, merged)
    if extension.is_override:
        base_source.entries[index] = item
    else:
        extension.source.entries.append(item)


def _merge_values(base: Any, overrides: Any) -> Any:
    """Merge mappings key by key; replace anything else."""
    if not (isinstance(base, dict) and isinstance(overrides, dict)):
        return overrides
    return {**base, **{key: _merge_values(base.get(key), value) for key, value in overrides.items()}}


def _is_circular(extension: _Extension, pending: Sequence[_Extension]) -> bool:
    return any(other.raw.get("code") == extension.base for other in pending)


def _describe_problem(
    extension: _Extension, pending: Sequence[_Extension], entry_locations: dict[Any, Any]
) -> str:
    if not isinstance(extension.base, str):
        return "extends names the code of one entry, such as TWILIO_API_FAILURE"
    if _is_circular(extension, pending):
        return f"extends forms a circle through {extension.base}; write one of the entries in full"
    hint = suggest_nearest(extension.base, sorted(entry_locations)) or "; add it to a catalog, or correct it"
    return f"unknown code '{extension.base}'{hint}"
