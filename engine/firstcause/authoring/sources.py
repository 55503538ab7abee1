"""Prometheus alert rules and runbook pages, as catalog entries."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from firstcause.authoring.entry_draft import (
    Variable,
    category_of,
    clean,
    name_pattern,
    name_words,
    pattern_of,
    shown,
    template_parts,
    title_of,
)
from firstcause.authoring.runbook_parser import Page, Section, read_page
from firstcause.core.model import Category, Priority, Severity
from firstcause.core.text.error_codes import code_of
from firstcause.inference.patterns import matcher
from firstcause.rulefiles.yaml_reader import MAX_BYTES, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from firstcause.core.catalog import Catalog

_RULE_FILES = frozenset({".yaml", ".yml", ".rules"})
_PAGES = frozenset({".md", ".markdown", ".mdown"})
_LINK = re.compile(r"https?://[^\s{}]+")
_SHORT_IMPACT = 80
_LONGEST_TEXT = 4000
_LONGEST_COMPONENT = 120
_ORDER = (
    "code", "title", "category", "severity", "match", "fix", "reproduce", "verify", "docs", "common_causes",
    "impact",
)  # fmt: skip

_SEVERITIES = {
    Severity.CRITICAL: "page|critical|crit|error|err|fatal|emergency|disaster|high|major|p0|p1|sev0|sev1",
    Severity.INFO: "info|information|informational|none|notice|debug",
}
"""Of an alert rule's label, where any other word and none is a warning."""


@dataclass(frozen=True)
class Skipped:
    """What was not imported. source: the path, with the alert's name where it is one alert of the file's.

    known: the catalog has it already.
    """

    source: str
    reason: str
    known: bool = False


@dataclass(frozen=True)
class Draft:
    """An entry to be. entry: as a rule file has it; message: what an event of this error says.

    source: the path that it comes from; page: that of a runbook page merged into it.
    """

    code: str
    component: str
    source: str
    entry: Mapping[str, Any]
    message: str
    page: str | None = None


@dataclass
class Gathered:
    """What the files gave. files: how many gave anything."""

    drafts: list[Draft] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def files(self) -> int:
        return len({path for each in self.drafts for path in (each.source, each.page) if path})


@dataclass(frozen=True)
class _Found:
    """One alert rule or one page. entry: those fields that it says something of."""

    name: str
    code: str
    source: str
    component: str
    entry: Mapping[str, Any]
    message: str | None = None
    is_page: bool = False


class _UnfitError(Exception):
    """The file gives nothing; says why."""


def gather(sources: Sequence[Path], catalog: Catalog, component: str | None = None) -> Gathered:
    """Reads files, and those in folders, and merges what they say of one alert. Never raises for a file.

    catalog: what is known already and is not imported again. component: for all, else each file's folder.
    """
    gathered = Gathered()
    found: list[_Found] = []
    for file in dict.fromkeys(chain.from_iterable(map(_files, sources))):
        try:
            parts = list(_read(file, component or component_of(file)))
        except _UnfitError as error:
            parts = [Skipped(str(file), str(error))]
        found += [each for each in parts if isinstance(each, _Found)]
        gathered.skipped += [each for each in parts if isinstance(each, Skipped)]
    for each in _merged(found, gathered.skipped):
        known = catalog.get(each.code)
        if known is None:
            gathered.drafts.append(each)
        else:
            reason = f"{each.code} is in the catalog already, in component {known.component}"
            gathered.skipped.append(Skipped(each.source, reason, known=True))
    return gathered


def component_of(file: Path) -> str:
    return component_name(file.resolve().parent.name)


def component_name(text: str) -> str:
    """The text as a component is written: small letters, digits and . _ -, a letter first."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-._")
    whole = name if name[:1].isalpha() else f"imported-{name}".rstrip("-")
    return whole[:_LONGEST_COMPONENT]


def own_tests(drafts: Sequence[Draft], catalog: Catalog) -> Iterator[dict[str, Any]]:
    """A test for each entry: its message is that error, or its code where the message is another's first."""
    match = matcher([(each.code, each.entry.get("match", ())) for each in drafts])
    for each in drafts:
        own = match(each.message) == each.code and catalog.by_message(each.message) is None
        event = {"message": each.message} if own else {"code": each.code}
        yield {
            "name": f"{each.code} by its {'message' if own else 'code'}",
            "given": [{"at": "0s", "event": event}],
            "expect": {"incidents": 1, "root": each.code},
        }


def _files(source: Path) -> list[Path]:
    """The file, or what a folder has of rule files and pages, hidden ones left out."""
    if not source.is_dir():
        return [source]
    found = [file for file in source.rglob("*") if file.suffix.lower() in _RULE_FILES | _PAGES]
    hidden = {file for file in found if any(part.startswith(".") for part in file.relative_to(source).parts)}
    return sorted(file for file in found if file not in hidden and file.is_file())


def _read(file: Path, component: str) -> Iterator[_Found | Skipped]:
    raw = _bytes(file)
    suffix = file.suffix.lower()
    if suffix in _PAGES or (
        suffix not in _RULE_FILES and re.match(rb"(\xef\xbb\xbf)?\s*(#|\+\+\+|---)", raw)
    ):
        yield _page(file, raw, component)
    else:
        yield from _alerts(file, raw, component)


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _UnfitError(f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _UnfitError(f"larger than {MAX_BYTES >> 20} MiB; split it into several files")
    if not raw.strip():
        raise _UnfitError("the file is empty")
    return raw


# Alert rules


def _alerts(file: Path, raw: bytes, component: str) -> Iterator[_Found | Skipped]:
    document, mistakes = read(raw, str(file))
    if document is None:
        # The last is what stopped it.
        raise _UnfitError(f"line {mistakes[-1].line}: {mistakes[-1].text}" + _templated(raw))
    top = document.data
    groups = (top["spec"] if isinstance(top.get("spec"), dict) else top).get("groups")
    if not isinstance(groups, list):
        raise _UnfitError("no `groups` of alert rules in it" + _templated(raw))
    listed = [group.get("rules") for group in groups if isinstance(group, dict)]
    rules = [rule for each in listed if isinstance(each, list) for rule in each]
    alerts = [rule for rule in rules if isinstance(rule, dict) and rule.get("alert") is not None]
    if not alerts:
        raise _UnfitError("no alert rules in its groups")
    for rule in alerts:
        yield _alert(rule, str(file), component)


def _templated(raw: bytes) -> str:
    helm = re.search(rb"\{\{-?\s*(?:\.Values|include|if|with|range|end|template|define)\b", raw)
    return "; it is a template, render it first (`helm template`)" if helm else ""


def _alert(rule: Mapping[str, Any], source: str, component: str) -> _Found | Skipped:
    name = clean(str(rule["alert"])[:_LONGEST_TEXT])
    code = code_of(name) if isinstance(rule["alert"], str | int) else None
    if code is None:
        return Skipped(f"{source}: {name[:80]}", "the alert's name gives no code; rename it")
    notes, labels = _texts(rule.get("annotations")), _texts(rule.get("labels"))
    told = [notes[key] for key in ("summary", "message", "description") if notes.get(key, "").strip()]
    entry: dict[str, Any] = {"severity": _severity(labels.get("severity")), "match": _patterns(name, told)}
    if told:
        entry["title"] = title_of(shown(template_parts(told[0])))
        more = [shown(template_parts(_before_values(each))) for each in told[1:]]
        entry["common_causes"] = [each for each in more if _folded(each) not in {"", _folded(entry["title"])}]
    if labels.get("category", "").upper() in tuple(Category):
        entry["category"] = labels["category"].upper()
    if rule.get("expr") is not None:
        entry["verify"] = {"steps": [_over(clean(str(rule["expr"])), rule.get("for"))]}
    if link := _link(notes.get("runbook_url"), notes.get("runbook")):
        entry["docs"] = link
    return _Found(name, code, source, component, entry, _rendered(told[0]) if told else None)


def _before_values(text: str) -> str:
    """Without the lists of labels and values that many descriptions end with."""
    return text.strip().partition("\n")[0]


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: str(text)[:_LONGEST_TEXT] for key, text in pairs if text is not None}


def _severity(label: str | None) -> Severity:
    word = (label or "").strip().lower()
    named = (severity for severity, words in _SEVERITIES.items() if re.fullmatch(words, word))
    return next(named, Severity.WARNING)


def _patterns(name: str, told: Sequence[str]) -> list[str]:
    of_text = pattern_of(template_parts(told[0])) if told else None
    return list(dict.fromkeys(each for each in (name_pattern(name), of_text) if each))


def _link(*given: str | None) -> str | None:
    links = [text.strip() for text in given if text]
    return next((link for link in links if _LINK.fullmatch(link) and link.isprintable()), None)


def _over(expression: str, lasting: Any) -> str:
    time = "" if lasting is None or re.fullmatch(r"0+[a-z]*", str(lasting)) else f", for {lasting} at least"
    return f"This is no longer true{time}: {expression}"


def _rendered(text: str) -> str:
    parts = template_parts(text.strip().partition("\n")[0])
    return clean("".join("x" if isinstance(part, Variable) else part for part in parts))


# Runbook pages


def _page(file: Path, raw: bytes, component: str) -> _Found:
    try:
        page = read_page(raw.decode())
    except UnicodeDecodeError:
        raise _UnfitError("not UTF-8 text; save the file as UTF-8") from None
    name, agreed = _page_name(page, file.stem)
    said = _said(page) if page.sections or agreed else {}
    if not said:
        raise _UnfitError("no section such as Meaning, Impact, Diagnosis or Mitigation in it")
    code = code_of(name)
    if code is None:
        raise _UnfitError("no alert's name in its title; begin it with `# AlertName`")
    entry: dict[str, Any] = {"match": _patterns(name, ())}
    if Section.MEANING in said:
        entry["title"] = title_of(said[Section.MEANING][0])
    entry["common_causes"] = [*said.get(Section.CAUSES, ()), *said.get(Section.MEANING, ())]
    entry["reproduce"] = said.get(Section.DIAGNOSIS, [])
    entry["fix"] = {"steps": said.get(Section.MITIGATION, [])}
    entry["verify"] = {"steps": said.get(Section.VERIFICATION, [])}
    feature = title_of(said[Section.IMPACT][0]) if Section.IMPACT in said else ""
    if 0 < len(feature) <= _SHORT_IMPACT:
        entry["impact"] = {"features": [feature]}
    if link := _link(page.front.get("url"), page.link):
        entry["docs"] = link
    return _Found(name, code, str(file), component, entry, is_page=True)


def _said(page: Page) -> Mapping[Section, list[str]]:
    """What stands before all sections is the meaning; on a page that has none it is what to do."""
    if not page.intro:
        return page.sections
    if not page.sections:
        return {Section.MITIGATION: page.intro}
    return {Section.MEANING: page.intro} | page.sections


def _page_name(page: Page, stem: str) -> tuple[str, bool]:
    """The alert's name, and whether heading, file name and front matter agree on it, or two of them.

    Where they do not it is the heading, or a file name such as KubeJobFailed under one of several words.
    """
    front = page.front.get("title", "")
    names = [name for name in (page.heading, stem, front) if name]
    votes = Counter(map(_folded, names))
    agreed = [name for name in names if votes[_folded(name)] > 1]
    whole = [name for name in (agreed or names[:1]) if not re.search(r"\s", name)]
    humps = [stem] if re.fullmatch(r"[A-Za-z0-9]*[a-z0-9][A-Z][A-Za-z0-9]*", stem) else []
    return next(iter([*whole, *agreed, *humps, *names])), bool(agreed)


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


# Together


def _merged(found: Iterable[_Found], skipped: list[Skipped]) -> Iterator[Draft]:
    """One draft a code: its first alert rule and its first page. Further ones are skipped."""
    by_code: dict[str, list[_Found]] = {}
    for each in found:
        same = by_code.setdefault(each.code, [])
        twin = next((other for other in same if other.is_page == each.is_page), None)
        if twin is None:
            same.append(each)
        else:
            skipped.append(Skipped(each.source, f"{each.code} is there already, from {twin.source}"))
    for same in by_code.values():
        yield _draft(sorted(same, key=lambda each: each.is_page))


def _draft(same: Sequence[_Found]) -> Draft:
    first, page = same[0], same[-1] if same[-1].is_page else None
    entry = first.entry if page is None or page is first else _joined(first.entry, page.entry)
    message = first.message or f"{first.name} is firing"
    return Draft(
        code=first.code,
        component=first.component,
        source=first.source,
        entry=_finished(first, entry),
        message=message,
        page=page.source if page is not None and page is not first else None,
    )


def _joined(first: Any, second: Any) -> Any:
    """Mappings key by key, lists one after the other; of two values the first."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {
            key: _joined(first[key], second[key]) if key in first and key in second else value
            for key, value in {**second, **first}.items()
        }
    if isinstance(first, list) and isinstance(second, list):
        return list(dict.fromkeys([*first, *second]))
    return first


def _finished(found: _Found, entry: Mapping[str, Any]) -> dict[str, Any]:
    """With what an entry must have, without what is empty, in the order of docs/rules.md."""
    title = entry.get("title") or name_words(found.name)
    severity = entry.get("severity", Severity.WARNING)
    impact = entry.get("impact", {})
    if severity is Severity.CRITICAL:
        # As policy does for what no catalog has: to be known does not make it wait.
        impact = {**impact, "priority": Priority.P1.value}
    patterns = {pattern.casefold(): pattern for pattern in reversed(entry.get("match", ()))}
    whole = {
        **entry,
        "match": list(reversed(patterns.values())),
        "code": found.code,
        "title": title,
        "category": str(entry.get("category") or category_of(f"{found.name} {title}")),
        "severity": str(severity),
        "impact": impact,
    }
    return {key: kept for key in _ORDER if (kept := _without_empty(whole.get(key)))}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: kept for key, part in value.items() if (kept := _without_empty(part))}
    return value
