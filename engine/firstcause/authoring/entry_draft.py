"""From a name or a text to what a catalog entry needs: a code, a title, a pattern, a category."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Category
from firstcause.core.text.error_codes import HUMPS, code_of
from firstcause.inference.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_LONGEST_TITLE = 160
_LONGEST_PATTERN = 400
_WORDS_OF_A_CODE = 6
_FEWEST_WORDS = 2

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`'\"(])")
# Words that stand in the alerts of anything.
_COMMON = frozenset(
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
    """The place of something that differs between occurrences. name: what stands there, "" where unknown."""

    name: str = ""


Parts = list[str | Variable]


def name_words(name: str) -> str:
    """KubeAPIDown -> Kube API Down."""
    return " ".join(re.findall(r"[^\W_]+", HUMPS.sub(" ", name)))


# Go templates


_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?(?:\}\}|\Z)", re.DOTALL)
_LABEL = re.compile(r"[Ll]abels\.(\w+)")
_OPENS = frozenset({"if", "range", "with", "block", "define"})


def template_parts(text: str) -> Parts:
    """A Go template's fixed texts, and variables for its actions; what stands in a condition is variable."""
    parts: Parts = []
    depth = at = 0
    for action in _ACTION.finditer(text):
        if depth == 0:
            parts.append(text[at : action.start()])
        at = action.end()
        word = (action[1].split() or [""])[0]
        if depth == 0 and word != "end":
            parts.append(Variable(_variable_name(action[1], word)))
        depth = max(depth + (word in _OPENS) - (word == "end"), 0)
    return _joined([*parts, text[at:] if depth == 0 else ""])


def _variable_name(action: str, word: str) -> str:
    if word in _OPENS:
        return ""
    label = _LABEL.search(action)
    return label[1] if label else "value" if re.search(r"\$value|\.Value", action) else ""


# Messages


_VARYING = re.compile(
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
_CLASSES = {
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


def message_parts(message: str) -> Parts:
    """A message's first line with a variable for each number, id, path and quoted value."""
    line = _first_line(message)
    parts: Parts = []
    at = 0
    for found in _VARYING.finditer(line):
        parts += [line[at : found.start()], Variable(found.lastgroup or "")]
        at = found.end()
    return _joined([*parts, line[at:]])


def message_pattern(message: str) -> str | None:
    """What finds this message and its like. A text too plain to be looked for anywhere must be the whole."""
    pattern = pattern_of(message_parts(message), lambda variable: _CLASSES[variable.name])
    line = _first_line(message)
    return pattern or (_usable(f"^{_escaped(line)}$") if _WORD.search(line) else None)


def message_code(message: str) -> str | None:
    """A name for what a message says, from its first words; None where it has none."""
    words = [word for part in _texts(message_parts(message)) for word in _WORD.findall(part)]
    telling = [word for word in words if word.casefold() not in _COMMON] or words
    return code_of(" ".join(telling[:_WORDS_OF_A_CODE]))


# Patterns


def anything(_variable: Variable) -> str:
    return ".*"


def pattern_of(parts: Sequence[str | Variable], regex: Callable[[Variable], str] = anything) -> str | None:
    """RE2 that finds a text of these parts. None where too few of its words would tell it from others."""
    used = _first_line_of(parts)
    while used and (isinstance(used[0], Variable) or not used[0].strip()):
        used = used[1:]
    while used and (isinstance(used[-1], Variable) or not used[-1].strip()):
        used = used[:-1]
    words = {word.casefold() for part in _texts(used) for word in _WORD.findall(part)}
    if len(words - _COMMON) < _FEWEST_WORDS:
        return None
    return _usable(_regex(used, regex).strip())


def name_pattern(name: str) -> str | None:
    """What finds an alert's name as a word of its own; None for a name of one word."""
    if len(_WORD.findall(HUMPS.sub(" ", name).replace("_", " "))) < _FEWEST_WORDS:
        return None
    first, last = (r"\b" if re.match(r"\w", edge, re.ASCII) else "" for edge in (name[0], name[-1]))
    return _usable(f"{first}{_escaped(name)}{last}")


def _regex(parts: Iterable[str | Variable], regex: Callable[[Variable], str]) -> str:
    pieces = [_escaped(part) if isinstance(part, str) else regex(part) for part in parts]
    return re.sub(r"\.\*(?:\s*\.\*)+", ".*", "".join(pieces))


def _usable(pattern: str) -> str | None:
    if len(pattern) > _LONGEST_PATTERN:
        return None
    try:
        compile_pattern(pattern)
    except ValueError:
        return None
    return pattern


def _escaped(text: str) -> str:
    return _META.sub(r"\\\g<0>", re.sub(r"\s+", " ", text))


# Texts for people


def shown(parts: Iterable[str | Variable]) -> str:
    """The parts on one line, variables as <name>; a remark in brackets that says only where is left out."""
    text = "".join(part if isinstance(part, str) else f"<{part.name or '...'}>" for part in parts)
    return clean(re.sub(r"\s*\([^()<>]*<[^()<>]*>[^()]*\)", "", text))


def title_of(text: str) -> str:
    """The first sentence, not longer than a title."""
    sentence = _SENTENCE.split(clean(text), maxsplit=1)[0].rstrip(".: ")
    return sentence if len(sentence) <= _LONGEST_TITLE else sentence[: _LONGEST_TITLE - 3].rstrip() + "..."


def clean(text: str) -> str:
    """On one line, without what no YAML holds."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


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


def category_of(text: str) -> Category:
    """By the words of an alert's name and title; what names no other area is infrastructure."""
    words = HUMPS.sub(" ", text)
    found = (area for area, named in _CATEGORIES if re.search(rf"\b(?:{named})\b", words, re.IGNORECASE))
    return next(found, Category.INFRASTRUCTURE)


def _texts(parts: Iterable[str | Variable]) -> Iterator[str]:
    return (part for part in parts if isinstance(part, str))


def _joined(parts: Iterable[str | Variable]) -> Parts:
    return [part for part in parts if part != ""]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:1000].strip()


def _first_line_of(parts: Sequence[str | Variable]) -> Parts:
    used: Parts = []
    for part in parts:
        if isinstance(part, str):
            text = part if used else part.lstrip()
            used.append(text.partition("\n")[0])
            if "\n" in text:
                break
        else:
            used.append(part)
    return used
