"""A runbook page in Markdown, as its alert's name and what each of its known sections says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from firstcause.authoring.entry_draft import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator


class Section(StrEnum):
    """What a section tells, whatever its heading is called."""

    MEANING = "meaning"
    IMPACT = "impact"
    CAUSES = "causes"
    DIAGNOSIS = "diagnosis"
    MITIGATION = "mitigation"
    VERIFICATION = "verification"


_HEADINGS = {
    Section.MEANING: "meaning|description|summary|overview|about|background|explanation|what it means",
    Section.IMPACT: "impact|user impact|customer impact|business impact|consequences?",
    Section.CAUSES: "causes?|(possible|common|likely|known|potential|root) causes?",
    Section.DIAGNOSIS: "diagnosis|diagnostics?|investigation|investigate|triage|debug(ging)?|troubleshooting"
    "|how to (diagnose|investigate|debug)|initial (checks|diagnosis)|symptoms?",
    Section.MITIGATION: "mitigations?|resolution|remediation|remedy|fix(es)?|solutions?|recovery|runbook"
    "|actions?|how to (fix|mitigate|resolve)( it)?|steps( to (fix|resolve|mitigate))?|what to do",
    Section.VERIFICATION: "verification|verify|validation|how to verify( the fix)?",
}


@dataclass
class RunbookPage:
    """heading: the first that is no section's; intro: what stands before any section.

    front: the front matter's scalars. link: the first one of the page.
    """

    heading: str | None = None
    intro: list[str] = field(default_factory=list)
    front_matter: dict[str, str] = field(default_factory=dict)
    sections: dict[Section, list[str]] = field(default_factory=dict)
    link: str | None = None


@dataclass(frozen=True)
class _Heading:
    level: int
    text: str


@dataclass(frozen=True)
class _TextBlock:
    """A paragraph, a list item, or with `code` the lines of a fenced block."""

    text: str
    code: bool = False


def parse_page(text: str) -> RunbookPage:
    """One page. A section holds its paragraphs and list items, each with the code that follows it."""
    front, body = _split_front_matter(text)
    page = RunbookPage(front_matter=front)
    section: Section | None = None
    level = 0
    prefix = ""
    for block in _iter_blocks(body):
        if isinstance(block, _Heading):
            matched_section = _match_section(block.text)
            if matched_section is None and page.heading is None and not page.sections:
                page.heading = block.text
            elif matched_section is None and section is not None and block.level > level:
                prefix = f"{block.text.rstrip(':')}: "
                continue
            section, level, prefix = matched_section, block.level, ""
            if section is not None:
                page.sections.setdefault(section, [])
        elif section is not None or not page.sections:
            _add_step(page.intro if section is None else page.sections[section], block, prefix)
            prefix = ""
    page.sections = {name: steps for name, steps in page.sections.items() if steps}
    link = re.search(r"https?://[^\s)>\]\"'`]+", body)
    page.link = link[0] if link else None
    return page


def _match_section(heading: str) -> Section | None:
    words = re.sub(r"[^\w ]", "", heading).strip().casefold()
    return next((name for name, pattern in _HEADINGS.items() if re.fullmatch(pattern, words)), None)


_PLACEHOLDER_TEXT = re.compile(r"(todo|tbd|n/?a|none|-*)\W*", re.IGNORECASE)


def _add_step(steps: list[str], block: _TextBlock, prefix: str) -> None:
    if _PLACEHOLDER_TEXT.fullmatch(block.text):
        return
    if block.code and steps and not prefix and "\n" not in steps[-1]:
        steps[-1] = f"{steps[-1]}\n{block.text}"
    else:
        steps.append(f"{prefix}{block.text}")


_FRONT_MATTER = re.compile(r"\A\s*(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_SCALAR = re.compile(r"^(\w+)\s*[:=]\s*(.*?)\s*$", re.MULTILINE)


def _split_front_matter(text: str) -> tuple[dict[str, str], str]:
    text = "\n".join(text.removeprefix("\ufeff").splitlines()) + "\n"
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    scalars = {key: value.strip("\"'") for key, value in _SCALAR.findall(match[2])}
    return scalars, text[match.end() :]


_FENCE = re.compile(r"\s*(```+|~~~+)")
_ATX = re.compile(r"\s{0,3}(#{1,6})\s+(.*)")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-{2,})\s*")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+(.*)")
_HIDDEN_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<summary>[^<]*</summary>", re.DOTALL)


def _iter_blocks(body: str) -> Iterator[_Heading | _TextBlock]:
    lines = iter(_HIDDEN_MARKUP.sub("", body).split("\n"))
    paragraph: list[str] = []
    for line in lines:
        fence, heading, item = _FENCE.match(line), _ATX.fullmatch(line), _ITEM.fullmatch(line)
        underline = _UNDERLINE.fullmatch(line) if len(paragraph) == 1 else None
        if not (fence or heading or item or underline or not line.strip()):
            paragraph.append(line)
            continue
        if underline:
            yield _Heading(1 if underline[1].startswith("=") else 2, _format_inline(paragraph[0]))
        elif paragraph:
            yield _TextBlock(_format_inline(" ".join(paragraph)))
        paragraph = [item[1]] if item else []
        if fence:
            yield _TextBlock(_extract_commands(_read_fenced(lines, fence[1])), code=True)
        elif heading:
            yield _Heading(len(heading[1]), _format_inline(heading[2].rstrip("# \t")))
    if paragraph:
        yield _TextBlock(_format_inline(" ".join(paragraph)))


def _read_fenced(lines: Iterator[str], fence: str) -> list[str]:
    inside: list[str] = []
    for line in lines:
        if line.strip().startswith(fence):
            break
        inside.append(line)
    return inside


def _extract_commands(lines: list[str]) -> str:
    """The commands where a prompt marks them, without what they printed; else all lines."""
    commands = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
    used = commands or [line for line in lines if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in used), default=0)
    plain = ["".join(char if char.isprintable() else " " for char in line.expandtabs(4)) for line in used]
    return "\n".join(line[indent:].rstrip() for line in plain)


_LINK = re.compile(r"!?\[([^\[\]]*)\]\(\s*<?([^()\s<>]*)>?(?:\s[^()]*)?\)")
_TAG = re.compile(
    r"</?(?:details|br|p|div|span|strong|em|b|i|sub|sup|hr|img|a)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_SHORTCODE = re.compile(r"\{\{[<%][^{}]*[>%]\}\}")


def _format_inline(text: str) -> str:
    text = _TAG.sub(" ", _SHORTCODE.sub(" ", text))
    text = _LINK.sub(lambda link: _format_link(link[1], link[2]), text)
    return clean_line(text.replace("**", ""))


def _format_link(text: str, target: str) -> str:
    if not target.startswith(("http://", "https://")) or target == text:
        return text or target
    return f"{text} ({target})" if text else target
