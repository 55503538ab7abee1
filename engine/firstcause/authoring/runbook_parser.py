"""Reads a runbook page in Markdown: the name of its alert, and the steps of each known section."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from firstcause.authoring.entry_draft import clean_line
from firstcause.core.sanitize import single_line

if TYPE_CHECKING:
    from collections.abc import Iterator


class Section(StrEnum):
    """What a section is about, under any of its usual headings."""

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
    """A page by its sections.

    heading: the first heading that is not a section's; None where there is none. intro: the text before any
    section. front_matter: its scalars. link: the first link of the page.
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
    """A paragraph, a list item or a table row; with `code`, the lines of a code block."""

    text: str
    code: bool = False


def parse_page(text: str) -> RunbookPage:
    """Read one page. A section holds paragraphs, list items and table rows, each with the code after it."""
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


_HIDDEN_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<summary>[^<]*</summary>", re.DOTALL)
_SHORTCODE_LINK = re.compile(r"\]\(\s*\{\{[<%][^{}]*[>%]\}\}\s*\)")
# Tags stay text, so that what stands between them is read as Markdown; `_format_inline` takes them off.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def _iter_blocks(body: str) -> Iterator[_Heading | _TextBlock]:
    """Read the page's headings, paragraphs, list items, table rows and code, in their order."""
    source = _SHORTCODE_LINK.sub("]()", _HIDDEN_MARKUP.sub("", body))
    yield from _iter_children(SyntaxTreeNode(_MARKDOWN.parse(source)))


def _iter_children(parent: SyntaxTreeNode) -> Iterator[_Heading | _TextBlock]:
    for node in parent.children:
        match node.type:
            case "heading":
                yield _Heading(int(node.tag[1:]), _format_inline(node))
            case "paragraph":
                yield _TextBlock(_format_inline(node))
            case "fence" | "code_block":
                yield _TextBlock(_extract_commands(node.content.splitlines()), code=True)
            case "bullet_list" | "ordered_list":
                for item in node.children:
                    yield _TextBlock("\n".join(_iter_item_lines(item)))
            case "table":
                yield from map(_TextBlock, _iter_table_rows(node))
            case _:
                yield from _iter_children(node)


def _iter_item_lines(item: SyntaxTreeNode) -> Iterator[str]:
    """A list item as the lines of one step: its text, its code, and the items of a list within it."""
    for node in item.children:
        match node.type:
            case "bullet_list" | "ordered_list":
                for inner in node.children:
                    first, *rest = [*_iter_item_lines(inner), ""]
                    yield from (f"- {first}".rstrip("- "), *(f"  {line}" for line in rest if line))
            case "fence" | "code_block":
                yield from _extract_commands(node.content.splitlines()).splitlines()
            case "table":
                yield from _iter_table_rows(node)
            case "blockquote":
                yield from _iter_item_lines(node)
            case _:
                yield from filter(None, [_TASK_MARK.sub("", _format_inline(node))])


_TASK_MARK = re.compile(r"^\[[ xX]\]\s+")


def _iter_table_rows(table: SyntaxTreeNode) -> Iterator[str]:
    """Each row below the head as a line: `Column: cell; Column: cell`."""
    head, *rows = [
        [_format_inline(cell) for cell in row.children] for part in table.children for row in part.children
    ]
    for row in rows:
        cells = zip(head, row, strict=True)
        yield "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell)


def _extract_commands(lines: list[str]) -> str:
    """Return the commands without their output where a prompt marks them; else all lines."""
    commands = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
    used = commands or [line for line in lines if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in used), default=0)
    plain = [single_line(line.expandtabs(4)) for line in used]
    return "\n".join(line[indent:].rstrip() for line in plain)


_TAG = re.compile(
    r"</?(?:details|br|p|div|span|strong|em|b|i|sub|sup|hr|img|a)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_SHORTCODE = re.compile(r"\{\{[<%][^{}]*[>%]\}\}")


def _format_inline(node: SyntaxTreeNode) -> str:
    """The text of a block on one line: code in backticks, links with their address, emphasis left out."""
    text = "".join(map(_format_span, node.children))
    return clean_line(_TAG.sub(" ", _SHORTCODE.sub(" ", text)))


def _format_span(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            return node.content
        case "code_inline":
            return f"`{node.content}`"
        case "softbreak" | "hardbreak":
            return " "
        case "image":
            return _format_link(node.content, str(node.attrs.get("src", "")))
    text = "".join(map(_format_span, node.children))
    return _format_link(text, str(node.attrs.get("href", ""))) if node.type == "link" else text


def _format_link(text: str, target: str) -> str:
    if not target.startswith(("http://", "https://")) or target == text:
        return text or target
    return f"{text} ({target})" if text else target
