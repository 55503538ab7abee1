"""Makes catalog entries of Prometheus alert rules and runbook pages."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from firstcause.authoring.entry_draft import (
    Variable,
    build_name_pattern,
    build_pattern,
    clean_line,
    extract_title,
    format_parts,
    guess_category,
    parse_template,
    split_name,
)
from firstcause.authoring.runbook_parser import RunbookPage, Section, parse_page
from firstcause.core.model import Category, Priority, Severity
from firstcause.core.text.error_codes import code_of
from firstcause.inference.patterns import compile_matcher
from firstcause.rulefiles.yaml_reader import MAX_BYTES, read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from firstcause.core.catalog import Catalog

_RULE_SUFFIXES = frozenset({".yaml", ".yml", ".rules"})
_PAGE_SUFFIXES = frozenset({".md", ".markdown", ".mdown"})
_LINK = re.compile(r"https?://[^\s{}]+")
_MAX_IMPACT_LENGTH = 80
_MAX_TEXT_LENGTH = 4000
_MAX_COMPONENT_LENGTH = 120
_FIELD_ORDER = (
    "code", "title", "category", "severity", "match", "fix", "reproduce", "verify", "docs", "common_causes",
    "impact",
)  # fmt: skip

_SEVERITIES = {
    Severity.CRITICAL: "page|critical|crit|error|err|fatal|emergency|disaster|high|major|p0|p1|sev0|sev1",
    Severity.INFO: "info|information|informational|none|notice|debug",
}
"""Words of an alert rule's severity label; any other word, or no label, is a warning."""


@dataclass(frozen=True)
class SkippedSource:
    """A source that was not imported.

    source: the path, with the alert's name where it is one alert of a file. already_known: whether the
    catalog has the entry already.
    """

    source: str
    reason: str
    already_known: bool = False


@dataclass(frozen=True)
class EntryDraft:
    """A draft of an entry. entry: as in a rule file. message: an example of its event's message.

    source: the path that it comes from. page: the path of a runbook page merged into it, None if none was.
    """

    code: str
    component: str
    source: str
    entry: Mapping[str, Any]
    message: str
    page: str | None = None


@dataclass
class CollectedDrafts:
    """The drafts of the files, and the skipped sources."""

    drafts: list[EntryDraft] = field(default_factory=list)
    skipped: list[SkippedSource] = field(default_factory=list)

    @property
    def file_count(self) -> int:
        return len({path for draft in self.drafts for path in (draft.source, draft.page) if path})


@dataclass(frozen=True)
class _ParsedSource:
    """One alert rule or one page. entry: the fields that it has something for."""

    name: str
    code: str
    source: str
    component: str
    entry: Mapping[str, Any]
    message: str | None = None
    is_page: bool = False


class _UnusableFileError(Exception):
    """The file cannot be imported; the message says why."""


def collect_drafts(
    sources: Sequence[Path], catalog: Catalog, component: str | None = None
) -> CollectedDrafts:
    """Read files and folders of files, and merge the sources of one alert. Never raises for a file.

    catalog: existing entries, which are not imported again. component: for all drafts; None means the name of
    each file's folder.
    """
    collected = CollectedDrafts()
    parsed: list[_ParsedSource] = []
    for file in dict.fromkeys(chain.from_iterable(map(_list_files, sources))):
        try:
            parts = list(_parse_file(file, component or derive_component(file)))
        except _UnusableFileError as error:
            parts = [SkippedSource(str(file), str(error))]
        parsed += [part for part in parts if isinstance(part, _ParsedSource)]
        collected.skipped += [part for part in parts if isinstance(part, SkippedSource)]
    for draft in _merge_sources(parsed, collected.skipped):
        existing = catalog.get(draft.code)
        if existing is None:
            collected.drafts.append(draft)
        else:
            reason = f"{draft.code} is in the catalog already, in component {existing.component}"
            collected.skipped.append(SkippedSource(draft.source, reason, already_known=True))
    return collected


def derive_component(file: Path) -> str:
    return normalize_component(file.resolve().parent.name)


def normalize_component(text: str) -> str:
    """Turn the text into a component's name: small letters, digits and . _ -, a letter first."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-._")
    full_name = name if name[:1].isalpha() else f"imported-{name}".rstrip("-")
    return full_name[:_MAX_COMPONENT_LENGTH]


def build_tests(drafts: Sequence[EntryDraft], catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Yield a test for each draft: by its message, or by its code where another entry matches the message."""
    match = compile_matcher([(draft.code, draft.entry.get("match", ())) for draft in drafts])
    for draft in drafts:
        by_message = match(draft.message) == draft.code and catalog.match_message(draft.message) is None
        event = {"message": draft.message} if by_message else {"code": draft.code}
        yield {
            "name": f"{draft.code} by its {'message' if by_message else 'code'}",
            "given": [{"at": "0s", "event": event}],
            "expect": {"incidents": 1, "root": draft.code},
        }


def _list_files(source: Path) -> list[Path]:
    """List the file itself, or the rule files and pages of a folder; hidden files are left out."""
    if not source.is_dir():
        return [source]
    files = [file for file in source.rglob("*") if file.suffix.lower() in _RULE_SUFFIXES | _PAGE_SUFFIXES]
    hidden = {file for file in files if any(part.startswith(".") for part in file.relative_to(source).parts)}
    return sorted(file for file in files if file not in hidden and file.is_file())


def _parse_file(file: Path, component: str) -> Iterator[_ParsedSource | SkippedSource]:
    raw = _read_bytes(file)
    suffix = file.suffix.lower()
    if suffix in _PAGE_SUFFIXES or (
        suffix not in _RULE_SUFFIXES and re.match(rb"(\xef\xbb\xbf)?\s*(#|\+\+\+|---)", raw)
    ):
        yield _parse_runbook(file, raw, component)
    else:
        yield from _parse_alert_rules(file, raw, component)


def _read_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _UnusableFileError(f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _UnusableFileError(f"larger than {MAX_BYTES >> 20} MiB; split it into several files")
    if not raw.strip():
        raise _UnusableFileError("the file is empty")
    return raw


# Alert rules


def _parse_alert_rules(file: Path, raw: bytes, component: str) -> Iterator[_ParsedSource | SkippedSource]:
    document, mistakes = read_document(raw, str(file))
    if document is None:
        # The last is what stopped it.
        raise _UnusableFileError(f"line {mistakes[-1].line}: {mistakes[-1].text}" + _template_hint(raw))
    top = document.data
    groups = (top["spec"] if isinstance(top.get("spec"), dict) else top).get("groups")
    if not isinstance(groups, list):
        raise _UnusableFileError("no `groups` of alert rules in it" + _template_hint(raw))
    rule_lists = [group.get("rules") for group in groups if isinstance(group, dict)]
    rules = [rule for rule_list in rule_lists if isinstance(rule_list, list) for rule in rule_list]
    alerts = [rule for rule in rules if isinstance(rule, dict) and rule.get("alert") is not None]
    if not alerts:
        raise _UnusableFileError("no alert rules in its groups")
    for rule in alerts:
        yield _parse_alert_rule(rule, str(file), component)


def _template_hint(raw: bytes) -> str:
    helm = re.search(rb"\{\{-?\s*(?:\.Values|include|if|with|range|end|template|define)\b", raw)
    return "; it is a template, render it first (`helm template`)" if helm else ""


def _parse_alert_rule(rule: Mapping[str, Any], source: str, component: str) -> _ParsedSource | SkippedSource:
    name = clean_line(str(rule["alert"])[:_MAX_TEXT_LENGTH])
    code = code_of(name) if isinstance(rule["alert"], str | int) else None
    if code is None:
        return SkippedSource(f"{source}: {name[:80]}", "the alert's name gives no code; rename it")
    notes, labels = _collect_texts(rule.get("annotations")), _collect_texts(rule.get("labels"))
    descriptions = [notes[key] for key in ("summary", "message", "description") if notes.get(key, "").strip()]
    entry: dict[str, Any] = {
        "severity": _map_severity(labels.get("severity")),
        "match": _build_patterns(name, descriptions),
    }
    if descriptions:
        entry["title"] = extract_title(format_parts(parse_template(descriptions[0])))
        other_texts = [format_parts(parse_template(_strip_values(text))) for text in descriptions[1:]]
        entry["common_causes"] = [
            text for text in other_texts if _fold_name(text) not in {"", _fold_name(entry["title"])}
        ]
    if labels.get("category", "").upper() in tuple(Category):
        entry["category"] = labels["category"].upper()
    if rule.get("expr") is not None:
        entry["verify"] = {
            "steps": [_format_resolution_check(clean_line(str(rule["expr"])), rule.get("for"))]
        }
    if link := _choose_link(notes.get("runbook_url"), notes.get("runbook")):
        entry["docs"] = link
    return _ParsedSource(
        name, code, source, component, entry, _render_example(descriptions[0]) if descriptions else None
    )


def _strip_values(text: str) -> str:
    """Remove the lists of labels and values at the end of many descriptions."""
    return text.strip().partition("\n")[0]


def _collect_texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: str(text)[:_MAX_TEXT_LENGTH] for key, text in pairs if text is not None}


def _map_severity(label: str | None) -> Severity:
    word = (label or "").strip().lower()
    matching = (severity for severity, words in _SEVERITIES.items() if re.fullmatch(words, word))
    return next(matching, Severity.WARNING)


def _build_patterns(name: str, descriptions: Sequence[str]) -> list[str]:
    text_pattern = build_pattern(parse_template(descriptions[0])) if descriptions else None
    return list(dict.fromkeys(pattern for pattern in (build_name_pattern(name), text_pattern) if pattern))


def _choose_link(*candidates: str | None) -> str | None:
    links = [text.strip() for text in candidates if text]
    return next((link for link in links if _LINK.fullmatch(link) and link.isprintable()), None)


def _format_resolution_check(expression: str, duration: Any) -> str:
    time = (
        "" if duration is None or re.fullmatch(r"0+[a-z]*", str(duration)) else f", for {duration} at least"
    )
    return f"This is no longer true{time}: {expression}"


def _render_example(text: str) -> str:
    parts = parse_template(text.strip().partition("\n")[0])
    return clean_line("".join("x" if isinstance(part, Variable) else part for part in parts))


# Runbook pages


def _parse_runbook(file: Path, raw: bytes, component: str) -> _ParsedSource:
    try:
        page = parse_page(raw.decode())
    except UnicodeDecodeError:
        raise _UnusableFileError("not UTF-8 text; save the file as UTF-8") from None
    name, agreed = _choose_page_name(page, file.stem)
    sections = _select_sections(page) if page.sections or agreed else {}
    if not sections:
        raise _UnusableFileError("no section such as Meaning, Impact, Diagnosis or Mitigation in it")
    code = code_of(name)
    if code is None:
        raise _UnusableFileError("no alert's name in its title; begin it with `# AlertName`")
    entry: dict[str, Any] = {"match": _build_patterns(name, ())}
    if Section.MEANING in sections:
        entry["title"] = extract_title(sections[Section.MEANING][0])
    entry["common_causes"] = [*sections.get(Section.CAUSES, ()), *sections.get(Section.MEANING, ())]
    entry["reproduce"] = sections.get(Section.DIAGNOSIS, [])
    entry["fix"] = {"steps": sections.get(Section.MITIGATION, [])}
    entry["verify"] = {"steps": sections.get(Section.VERIFICATION, [])}
    feature = extract_title(sections[Section.IMPACT][0]) if Section.IMPACT in sections else ""
    if 0 < len(feature) <= _MAX_IMPACT_LENGTH:
        entry["impact"] = {"features": [feature]}
    if link := _choose_link(page.front_matter.get("url"), page.link):
        entry["docs"] = link
    return _ParsedSource(name, code, str(file), component, entry, is_page=True)


def _select_sections(page: RunbookPage) -> Mapping[Section, list[str]]:
    """Take the text before all sections as the meaning; on a page without sections, as the mitigation."""
    if not page.intro:
        return page.sections
    if not page.sections:
        return {Section.MITIGATION: page.intro}
    return {Section.MEANING: page.intro} | page.sections


def _choose_page_name(page: RunbookPage, stem: str) -> tuple[str, bool]:
    """Return the alert's name, and whether at least two of heading, file name and front matter agree on it.

    Where they do not agree, it is the heading, or a file name such as KubeJobFailed if the heading has
    several words.
    """
    front = page.front_matter.get("title", "")
    names = [name for name in (page.heading, stem, front) if name]
    votes = Counter(map(_fold_name, names))
    agreed = [name for name in names if votes[_fold_name(name)] > 1]
    single_words = [name for name in (agreed or names[:1]) if not re.search(r"\s", name)]
    humps = [stem] if re.fullmatch(r"[A-Za-z0-9]*[a-z0-9][A-Z][A-Za-z0-9]*", stem) else []
    return next(iter([*single_words, *agreed, *humps, *names])), bool(agreed)


def _fold_name(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


# Together


def _merge_sources(parsed: Iterable[_ParsedSource], skipped: list[SkippedSource]) -> Iterator[EntryDraft]:
    """Merge into one draft for each code its first alert rule and its first page. Others are skipped."""
    by_code: dict[str, list[_ParsedSource]] = {}
    for item in parsed:
        group = by_code.setdefault(item.code, [])
        duplicate = next((other for other in group if other.is_page == item.is_page), None)
        if duplicate is None:
            group.append(item)
        else:
            skipped.append(
                SkippedSource(item.source, f"{item.code} is there already, from {duplicate.source}")
            )
    for group in by_code.values():
        yield _build_draft(sorted(group, key=lambda item: item.is_page))


def _build_draft(group: Sequence[_ParsedSource]) -> EntryDraft:
    first, page = group[0], group[-1] if group[-1].is_page else None
    entry = first.entry if page is None or page is first else _merge_fields(first.entry, page.entry)
    message = first.message or f"{first.name} is firing"
    return EntryDraft(
        code=first.code,
        component=first.component,
        source=first.source,
        entry=_complete_entry(first, entry),
        message=message,
        page=page.source if page is not None and page is not first else None,
    )


def _merge_fields(first: Any, second: Any) -> Any:
    """Merge mappings key by key and lists one after the other; of two other values the first holds."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {
            key: _merge_fields(first[key], second[key]) if key in first and key in second else value
            for key, value in {**second, **first}.items()
        }
    if isinstance(first, list) and isinstance(second, list):
        return list(dict.fromkeys([*first, *second]))
    return first


def _complete_entry(first: _ParsedSource, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Add what an entry must have, drop what is empty, and order the fields as in docs/rules.md."""
    title = entry.get("title") or split_name(first.name)
    severity = entry.get("severity", Severity.WARNING)
    impact = entry.get("impact", {})
    if severity is Severity.CRITICAL:
        # As the policy rules do for an uncatalogued critical error, whose priority an entry must not lower.
        impact = {**impact, "priority": Priority.P1.value}
    patterns = {pattern.casefold(): pattern for pattern in reversed(entry.get("match", ()))}
    complete = {
        **entry,
        "match": list(reversed(patterns.values())),
        "code": first.code,
        "title": title,
        "category": str(entry.get("category") or guess_category(f"{first.name} {title}")),
        "severity": str(severity),
        "impact": impact,
    }
    return {key: kept for key in _FIELD_ORDER if (kept := _without_empty(complete.get(key)))}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: kept for key, part in value.items() if (kept := _without_empty(part))}
    return value
