"""Imports alert rules and runbook pages into the site's own rule files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstcause.authoring.rule_editor import RuleFileText, check_changes, open_rule_file, replace_file
from firstcause.authoring.sources import (
    EntryDraft,
    SkippedSource,
    build_tests,
    collect_drafts,
    normalize_component,
)
from firstcause.errors import ConfigError
from firstcause.rulebase.rulebase import SHIPPED_RULES, resolve_rule_folders
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.config import Settings

IMPORT_FOLDER = "imported"
"""The folder for new files within the site's folder of rules."""


@dataclass(frozen=True)
class ImportResult:
    """The result of an import. entries: each with its rule file. unread: files outside [rules]."""

    entries: Sequence[tuple[EntryDraft, Path]]
    skipped: Sequence[SkippedSource]
    files: int
    unread: Sequence[Path]

    @property
    def location(self) -> Path | None:
        """The rule file that was written; of several, their folder."""
        locations = {path for _draft, path in self.entries}
        return Path(os.path.commonpath(locations)) if locations else None

    @property
    def has_content(self) -> bool:
        """Whether the sources had any alert, new or already known."""
        return bool(self.entries) or any(skip.already_known for skip in self.skipped)

    def to_dict(self) -> dict[str, Any]:
        return {
            "imported": [
                {"code": draft.code, "file": str(path), "source": draft.source, "page": draft.page}
                for draft, path in self.entries
            ],
            "skipped": [{"source": skip.source, "reason": skip.reason} for skip in self.skipped],
        }


def import_all(
    settings: Settings,
    folders: Sequence[Path],
    sources: Sequence[Path],
    *,
    into: Path | None = None,
    component: str | None = None,
    dry_run: bool = False,
) -> ImportResult:
    """Add the entries of the sources that the catalog of the folders lacks. All files are written, or none.

    RuleFileError: the rule files are wrong, or would be afterwards.
    ConfigError: the files cannot be written.
    """
    catalog = load(folders, settings.rules.thresholds).catalog
    collected = collect_drafts(sources, catalog, _choose_component(into, component))
    drafts = sorted(collected.drafts, key=lambda draft: draft.component)
    placements = [(draft, into or _choose_rule_file(settings, draft.component)) for draft in drafts]
    tests = list(build_tests(drafts, catalog))
    texts: dict[Path, bytes] = {}
    for path in dict.fromkeys(path for _draft, path in placements):
        indexes = [index for index, (_draft, other) in enumerate(placements) if other == path]
        text = (
            open_rule_file(path)
            if path.exists()
            else RuleFileText.create(drafts[indexes[0]].component, str(path))
        )
        texts[path] = text.add_entries(
            [drafts[index].entry for index in indexes], [tests[index] for index in indexes]
        ).raw
    check_changes(texts, folders, settings.rules.thresholds)
    if not dry_run:
        _write_files(texts)
    unread = [path for path in texts if not any(path.resolve().is_relative_to(folder) for folder in folders)]
    return ImportResult(placements, collected.skipped, collected.file_count, unread)


def _write_files(texts: Mapping[Path, bytes]) -> None:
    for path, raw in texts.items():
        replace_file(path, raw)


def _choose_component(into: Path | None, requested: str | None) -> str | None:
    """Return the component of all entries; None where each has that of its source's folder."""
    if requested is not None and normalize_component(requested) != requested:
        msg = f"'{requested}' is not a component; use small letters, digits and . _ -, such as redis"
        raise ConfigError(msg)
    if into is None:
        return requested
    if into.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"{into} would not be read; rule files end in .yaml or .yml")
    component = (
        open_rule_file(into).component if into.exists() else requested or normalize_component(into.stem)
    )
    if requested not in {None, component}:
        raise ConfigError(f"{into} is of the component {component}; leave --component out")
    return component


def _choose_rule_file(settings: Settings, component: str) -> Path:
    configured = zip(settings.rules.paths, resolve_rule_folders(settings, ()), strict=True)
    folder = next((folder for path, folder in configured if path != SHIPPED_RULES), None)
    if folder is None:
        msg = (
            "[rules] paths has no folder of your own to write to; "
            f'add one, as paths = ["{SHIPPED_RULES}", "rules"], or name a rule file with --into'
        )
        raise ConfigError(msg)
    return folder / IMPORT_FOLDER / f"{component}.yaml"
