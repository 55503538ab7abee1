"""Takes alert rules and runbook pages into the site's own rule files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstcause.authoring.rule_editor import RuleText, check, open_text, replace
from firstcause.authoring.sources import Draft, Skipped, component_name, gather, own_tests
from firstcause.errors import ConfigError
from firstcause.rulebase.rulebase import SHIPPED, rule_folders
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.config import Settings

FOLDER = "imported"
"""Where in the site's folder of rules new files come to stand."""


@dataclass(frozen=True)
class Imported:
    """entries: each with the rule file that it is in. files: how many gave them. unread: outside [rules]."""

    entries: Sequence[tuple[Draft, Path]]
    skipped: Sequence[Skipped]
    files: int
    unread: Sequence[Path]

    @property
    def place(self) -> Path | None:
        """The rule file that was written, or the folder of several."""
        places = {path for _draft, path in self.entries}
        return Path(os.path.commonpath(places)) if places else None

    @property
    def useful(self) -> bool:
        """Whether anything was in the sources, be it known already."""
        return bool(self.entries) or any(each.known for each in self.skipped)

    def answer(self) -> dict[str, Any]:
        return {
            "imported": [
                {"code": draft.code, "file": str(path), "source": draft.source, "page": draft.page}
                for draft, path in self.entries
            ],
            "skipped": [{"source": each.source, "reason": each.reason} for each in self.skipped],
        }


def import_all(
    settings: Settings,
    folders: Sequence[Path],
    sources: Sequence[Path],
    *,
    into: Path | None = None,
    component: str | None = None,
    dry_run: bool = False,
) -> Imported:
    """Add what the sources have and the catalog of the folders has not. All files are written, or none.

    RuleFileError: with the mistakes, where the rule files are wrong before or would be after it.
    ConfigError: where there is no place to write to.
    """
    known = load(folders, settings.rules.thresholds).catalog
    gathered = gather(sources, known, _component(into, component))
    drafts = sorted(gathered.drafts, key=lambda draft: draft.component)
    placed = [(draft, into or _place(settings, draft.component)) for draft in drafts]
    played = list(own_tests(drafts, known))
    texts: dict[Path, bytes] = {}
    for path in dict.fromkeys(path for _draft, path in placed):
        own = [number for number, (_draft, other) in enumerate(placed) if other == path]
        text = open_text(path) if path.exists() else RuleText.new(drafts[own[0]].component, str(path))
        texts[path] = text.add([drafts[at].entry for at in own], [played[at] for at in own]).raw
    check(texts, folders, settings.rules.thresholds)
    if not dry_run:
        _write(texts)
    unread = [path for path in texts if not any(path.resolve().is_relative_to(each) for each in folders)]
    return Imported(placed, gathered.skipped, gathered.files, unread)


def _write(texts: Mapping[Path, bytes]) -> None:
    for path, raw in texts.items():
        replace(path, raw)


def _component(into: Path | None, given: str | None) -> str | None:
    """The component of all entries; None where each has that of its source's folder."""
    if given is not None and component_name(given) != given:
        msg = f"'{given}' is not a component; take small letters, digits and . _ -, such as redis"
        raise ConfigError(msg)
    if into is None:
        return given
    if into.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"{into} would not be read; rule files end in .yaml or .yml")
    held = open_text(into).component if into.exists() else given or component_name(into.stem)
    if given not in {None, held}:
        raise ConfigError(f"{into} is of the component {held}; leave --component out")
    return held


def _place(settings: Settings, component: str) -> Path:
    own = zip(settings.rules.paths, rule_folders(settings, ()), strict=True)
    folder = next((folder for path, folder in own if path != SHIPPED), None)
    if folder is None:
        msg = (
            "[rules] paths has no folder of your own to write to; "
            f'add one, as paths = ["{SHIPPED}", "rules"], or name a rule file with --into'
        )
        raise ConfigError(msg)
    return folder / FOLDER / f"{component}.yaml"
