"""Derives the parts of a catalog entry from a name or a message: code, title, pattern, category."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Category
from firstcause.core.sanitize import single_line
from firstcause.core.text.error_codes import WORD_BOUNDARY, code_of
from firstcause.inference.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_MAX_TITLE_LENGTH = 160
_MAX_PATTERN_LENGTH = 400
_MAX_CODE_WORDS = 6
_MIN_WORDS = 2

_METACHARACTERS = re.compile(r"[\\.+*?()|\[\]{}^$]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s+(?=[A-Z`'\"(])")
# Words that are common in alerts of all kinds.
_COMMON_WORDS = frozenset(
    [
        "about",
        "above",
        "after",
        "all",
        "alert",
        "alerts",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "below",
        "by",
        "critical",
        "current",
        "description",
        "error",
        "for",
        "from",
        "had",
        "has",
        "have",
        "host",
        "if",
        "in",
        "instance",
        "into",
        "is",
        "it",
        "its",
        "job",
        "labels",
        "last",
        "less",
        "level",
        "many",
        "minute",
        "minutes",
        "more",
        "node",
        "not",
        "of",
        "on",
        "only",
        "or",
        "over",
        "pod",
        "seconds",
        "service",
        "since",
        "some",
        "than",
        "that",
        "the",
        "then",
        "there",
        "these",
        "this",
        "to",
        "too",
        "under",
        "value",
        "was",
        "were",
        "while",
        "will",
        "with",
        "within",
    ]
)


@dataclass(frozen=True)
class Variable:
    """A part that differs between occurrences. name: what the part is, "" where unknown."""

    name: str = ""


TextParts = list[str | Variable]


def split_name(name: str) -> str:
    """Split a name into words: KubeAPIDown becomes Kube API Down."""
    return " ".join(re.findall(r"[^\W_]+", WORD_BOUNDARY.sub(" ", name)))


# Go templates


_TEMPLATE_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?(?:\}\}|\Z)", re.DOTALL)
_LABEL = re.compile(r"[Ll]abels\.(\w+)")
_BLOCK_KEYWORDS = frozenset({"if", "range", "with", "block", "define"})


def parse_template(text: str) -> TextParts:
    """Parse a Go template into fixed texts, and variables for its actions.

    Text in a condition is variable.
    """
    parts: TextParts = []
    depth = position = 0
    for action in _TEMPLATE_ACTION.finditer(text):
        if depth == 0:
            parts.append(text[position : action.start()])
        position = action.end()
        keyword = (action[1].split() or [""])[0]
        if depth == 0 and keyword != "end":
            parts.append(Variable(_variable_name(action[1], keyword)))
        depth = max(depth + (keyword in _BLOCK_KEYWORDS) - (keyword == "end"), 0)
    return _drop_empty([*parts, text[position:] if depth == 0 else ""])


def _variable_name(action: str, keyword: str) -> str:
    if keyword in _BLOCK_KEYWORDS:
        return ""
    label = _LABEL.search(action)
    return label[1] if label else "value" if re.search(r"\$value|\.Value", action) else ""


# Messages


_VARIABLE_VALUE = re.compile(
    r"""(?P<url>https?://[^\s"'<>]+)
    |(?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    |(?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?)
    |(?P<email>[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)
    |(?P<path>(?<![\w/.])(?:[A-Z]:)?(?:[/\\][\w.@~-]+){2,}[/\\]?)
    |(?P<quoted>"[^"]{0,200}")
    |(?P<name>(?<!\w)'[^']{0,200}'(?!\w))
    |(?P<address>\b0x[0-9a-f]+\b)
    |(?P<host>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)
    |(?P<id>\b(?=[a-z]*\d)(?=\d*[a-z])[0-9a-f]{8,}\b)
    |(?P<number>(?-i:(?<![A-Z])(?<![A-Z]-))(?<!\d)\d+(?:[.,]\d+)*)""",
    re.IGNORECASE | re.VERBOSE,
)
_VALUE_PATTERNS = {
    "url": r"https?://\S+",
    "uuid": "[0-9a-f-]{36}",
    "time": r"\d{4}-\d\d-\d\d[\dT:.,Z+ -]*",
    "email": r"\S+@\S+",
    "path": r"\S+",
    "quoted": '"[^"]*"',
    "name": "'[^']*'",
    "address": "0x[0-9a-f]+",
    "host": r"[\d.:]+",
    "id": "[0-9a-f]+",
    "number": r"[\d.,]+",
}


def parse_message(message: str) -> TextParts:
    """Parse a message's first line, with a variable for each number, id, path and quoted value."""
    line = _first_line(message)
    parts: TextParts = []
    position = 0
    for match in _VARIABLE_VALUE.finditer(line):
        parts += [line[position : match.start()], Variable(match.lastgroup or "")]
        position = match.end()
    return _drop_empty([*parts, line[position:]])


def build_message_pattern(message: str) -> str | None:
    """Build a pattern for this message and similar ones. A text that is too plain must match as a whole."""
    pattern = build_pattern(parse_message(message), lambda variable: _VALUE_PATTERNS[variable.name])
    line = _first_line(message)
    return pattern or (_validate_pattern(f"^{_escape_text(line)}$") if _WORD.search(line) else None)


def build_message_code(message: str) -> str | None:
    """Build a code from the first words of a message; None where it has no words."""
    words = [word for part in _select_texts(parse_message(message)) for word in _WORD.findall(part)]
    distinctive = [word for word in words if word.casefold() not in _COMMON_WORDS] or words
    return code_of(" ".join(distinctive[:_MAX_CODE_WORDS]))


# Patterns


def match_anything(_variable: Variable) -> str:
    return ".*"


def build_pattern(
    parts: Sequence[str | Variable], regex: Callable[[Variable], str] = match_anything
) -> str | None:
    """Build an RE2 pattern for a text of these parts. None where its words are too few to be distinctive."""
    used = _take_first_line(parts)
    while used and (isinstance(used[0], Variable) or not used[0].strip()):
        used = used[1:]
    while used and (isinstance(used[-1], Variable) or not used[-1].strip()):
        used = used[:-1]
    words = {word.casefold() for part in _select_texts(used) for word in _WORD.findall(part)}
    if len(words - _COMMON_WORDS) < _MIN_WORDS:
        return None
    return _validate_pattern(_build_regex(used, regex).strip())


def build_name_pattern(name: str) -> str | None:
    """Build a pattern for an alert's name as a separate word; None for a name of one word."""
    if len(_WORD.findall(WORD_BOUNDARY.sub(" ", name).replace("_", " "))) < _MIN_WORDS:
        return None
    first, last = (r"\b" if re.match(r"\w", edge, re.ASCII) else "" for edge in (name[0], name[-1]))
    return _validate_pattern(f"{first}{_escape_text(name)}{last}")


def _build_regex(parts: Iterable[str | Variable], regex: Callable[[Variable], str]) -> str:
    pieces = [_escape_text(part) if isinstance(part, str) else regex(part) for part in parts]
    return re.sub(r"\.\*(?:\s*\.\*)+", ".*", "".join(pieces))


def _validate_pattern(pattern: str) -> str | None:
    if len(pattern) > _MAX_PATTERN_LENGTH:
        return None
    try:
        compile_pattern(pattern)
    except ValueError:
        return None
    return pattern


def _escape_text(text: str) -> str:
    return _METACHARACTERS.sub(r"\\\g<0>", re.sub(r"\s+", " ", text))


# Texts for people


def format_parts(parts: Iterable[str | Variable]) -> str:
    """Format the parts on one line, variables as <name>; a remark in brackets with a variable is left out."""
    text = "".join(part if isinstance(part, str) else f"<{part.name or '...'}>" for part in parts)
    return clean_line(re.sub(r"\s*\([^()<>]*<[^()<>]*>[^()]*\)", "", text))


def extract_title(text: str) -> str:
    """Return the first sentence, shortened to a title's length."""
    sentence = _SENTENCE_BREAK.split(clean_line(text), maxsplit=1)[0].rstrip(".: ")
    return (
        sentence if len(sentence) <= _MAX_TITLE_LENGTH else sentence[: _MAX_TITLE_LENGTH - 3].rstrip() + "..."
    )


def clean_line(text: str) -> str:
    """Put a text on one line, without characters that YAML cannot hold."""
    return " ".join(single_line(text).split())


_CATEGORIES = (
    (
        Category.DATA,
        r"backup|corrupt\w*|data ?loss|inconsisten\w+|replicat\w+|snapshots?|checksums?",
    ),
    (
        Category.EXTERNAL_SERVICE,
        r"stackdriver|cloudwatch|speedtest|blackbox|external|third.party|twilio|stripe|smtp",
    ),
    (Category.SYSTEM, r"prometheus|alertmanager|alerting|exporter|scrapes?|watchdog|inhibitor|collector"),
)


def guess_category(text: str) -> Category:
    """Guess the category from the words of an alert's name and title; infrastructure where none fits."""
    words = WORD_BOUNDARY.sub(" ", text)
    matching = (
        area for area, pattern in _CATEGORIES if re.search(rf"\b(?:{pattern})\b", words, re.IGNORECASE)
    )
    return next(matching, Category.INFRASTRUCTURE)


def _select_texts(parts: Iterable[str | Variable]) -> Iterator[str]:
    return (part for part in parts if isinstance(part, str))


def _drop_empty(parts: Iterable[str | Variable]) -> TextParts:
    return [part for part in parts if part != ""]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:1000].strip()


def _take_first_line(parts: Sequence[str | Variable]) -> TextParts:
    line_parts: TextParts = []
    for part in parts:
        if isinstance(part, str):
            text = part if line_parts else part.lstrip()
            line_parts.append(text.partition("\n")[0])
            if "\n" in text:
                break
        else:
            line_parts.append(part)
    return line_parts
