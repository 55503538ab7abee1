"""Extracts the template of an error message: what stays the same in every occurrence of one fault.

The masks are what log parsers begin with (Drain: He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing
Approach with Fixed Depth Tree", ICWS 2017), and here they are all of it. A tree such as Drain's goes by what
came before: it needs a state that is kept and shared by all processes, may give one text another group when
others came first, and takes two short texts for one that differ in the word that matters ("disk full", "disk
slow"). A template that is a function of the text alone is the same for ever, wherever it is made.
tests/benchmarks/test_grouping.py measures both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE_LENGTH = 1000
"""Characters of a line that the template takes into account."""

_KEPT_KEYS = frozenset((
    "error", "err", "msg", "message", "reason", "cause", "status", "code", "state", "level", "severity",
    "type", "kind", "class", "exception", "event", "op", "operation", "action", "method", "result",
    "errno", "signal", "detail", "details", "description", "title", "summary", "warning",
))  # fmt: skip
"""Keys whose values say what went wrong. The values of all other keys say to whom, where and when."""

_ENTITY_KINDS = (
    "account|app|application|bucket|client|cluster|company|consumer|container|customer|database|device|domain|"
    "file|group|host|index|instance|job|key|node|order|partition|pod|queue|server|session|shard|table|task|"
    "tenant|thread|topic|user|username|volume|worker"
)
"""Nouns that a name follows: "for user anna", "no such table: orders"."""

_PACKAGE_PREFIX = r"(?:com|org|net|io|java|javax|jakarta|sun|jdk|scala|kotlin|dev|edu|gov)\."
_TOP_LEVEL_DOMAINS = (
    "com|org|net|edu|gov|mil|int|io|dev|app|cloud|info|biz|local|internal|localdomain|intranet|lan|corp|svc"
)
# File endings that are also top-level domains of countries.
_FILE_ENDINGS = ("cs", "db", "gz", "js", "kt", "md", "pl", "py", "rb", "rs", "sh", "so", "ts")
_NOT_FILE_ENDING = "".join(rf"(?<!\.{ending})" for ending in _FILE_ENDINGS)
_PATH_PART = r"[\w.@%+~#$*-]{1,200}"
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_REGEX = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|"
    "Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY_REGEX = "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? {1,2})"
_STRIP_QUOTES = str.maketrans("", "", "\"'")
# Digits to keep are moved to a private range of Unicode while the masks are applied.
_HIDE_DIGITS = str.maketrans("0123456789", "".join(map(chr, range(0xE000, 0xE00A))))
_RESTORE_DIGITS = {code_point: digit for digit, code_point in _HIDE_DIGITS.items()}


@dataclass(frozen=True)
class MaskingRule:
    """A mask for one kind of varying text.

    markers: a line without any of these has nothing to mask; empty to search every line.
    """

    name: str
    markers: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str] = "*"

    def __call__(self, line: str) -> str:
        if self.markers and not any(marker in line for marker in self.markers):
            return line
        return self.pattern.sub(self.replacement, line)


def _keep_digits(match: re.Match[str]) -> str:
    return match[0].translate(_HIDE_DIGITS)


def _mask_pair(match: re.Match[str]) -> str:
    key = match["bare"] or match["quoted"]
    last = re.split(r"[._-]", key.lower())[-1]
    return f"{key}={match['value'].translate(_STRIP_QUOTES) if last in _KEPT_KEYS else '*'}"


def _mask_quoted(match: re.Match[str]) -> str:
    """Mask a quoted value of one or two words. A longer one is a sentence, in which other masks apply."""
    words = match[0][1:-1]
    return words if words.count(" ") > 1 else "*"


MASKING_RULES = (
    MaskingRule(
        "numbers that name an error",
        ("rr", "RR", "tatus", "ode", "xit", "http", "HTTP", "sql", "SQL", "ignal", "eturned", "esponded"),
        re.compile(
            r"(?i:\b(?:errno|error|signal|exit status|(?:error|err|exit|status|response|return)[ _-]?code)"
            r"[ :=#(\[]{1,3}-?\d{1,5}\b(?![.:/-]\d)|\bsqlstate[ :=#(\[]{1,3}[0-9A-Z]{5}\b"
            r"|\b(?:http(?:/\d\.\d)?|status|code|returned|responded with)[ :=(\[]{1,2}[45]\d\d\b(?![.:/-]\d))"
        ),
        _keep_digits,
    ),
    MaskingRule(
        "pairs of key and value",
        ("=", '":', '" :', "':", "' :"),
        re.compile(
            r"(?:(?<![\w.])(?P<bare>[A-Za-z_][\w.-]{0,60})=|(?P<mark>[\"'])(?P<quoted>[A-Za-z_][\w.-]{0,60})(?P=mark)\s?:\s?)"
            r"(?P<value>\"[^\"]{0,500}\"|'[^']{0,500}'|[^\s,;()\[\]{}\"']*)"
        ),
        _mask_pair,
    ),
    MaskingRule(
        "addresses of pages and services",
        ("://",),
        re.compile(r"\b[a-zA-Z][\w+.-]{1,20}://[^\s\"'<>()\[\]{},;]*"),
    ),
    MaskingRule(
        "quoted values",
        ("'", '"', "`"),
        re.compile(r"(?<![\w'])'[^']{0,200}'(?!\w)|\"[^\"]{0,200}\"|`[^`]{0,200}`"),
        _mask_quoted,
    ),
    MaskingRule(
        "mail addresses", ("@",), re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,9}")
    ),
    MaskingRule(
        "paths",
        ("/", "\\"),
        re.compile(
            rf"(?<![\w.:*~/\\-])(?:[A-Za-z]:[\\/]|~?/|\.{{1,2}}/)(?:{_PATH_PART}[\\/]){{0,50}}{_PATH_PART}"
        ),
    ),
    MaskingRule(
        "dates with names",
        _MONTH_NAMES,
        re.compile(
            rf"\b{_DAY_REGEX}?(?:\d{{1,2}}[ -])?\b{_MONTH_REGEX}[ -]{{1,2}}"
            r"\d(?:[\d:., T]{0,30}\d)?(?: [A-Z]{3,4} \d{4})?"
        ),
    ),
    MaskingRule(
        "names of hosts",
        (".",),
        re.compile(
            rf"(?<![\w.-])(?!{_PACKAGE_PREFIX})(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,8}}(?:{_TOP_LEVEL_DOMAINS}|[a-z]{{2}}{_NOT_FILE_ENDING})(?![\w.-])"
        ),
    ),
    MaskingRule(
        "words with digits",
        (),
        re.compile(
            r"(?<![A-Za-z0-9_.+%#~$-])(?=[A-Za-z_.+%#~$-]*[0-9])[A-Za-z0-9_.+%#~$-]+|[0-9]+"
            r"|(?<![\w-])[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,}){0,4}(?![\w-])"
        ),
    ),
    MaskingRule(
        "names after what they name",
        (),
        re.compile(
            r"\b((?:for|from|of|to|by|in|on|at|with|[Ii]nvalid|[Uu]nknown|[Ii]llegal|[Ss]uch) (?:invalid )?"
            rf"(?:{_ENTITY_KINDS}):?) (?!\*)[^\s\[\](),;:*]+"
        ),
        r"\1 *",
    ),
    MaskingRule("lists of values", ("*",), re.compile(r"\*(?:[\s,;:/.|+-]{0,3}(?:\*|\(\*?\)|\[\*?\]))+")),
)
"""All masks, in the order in which they are applied."""


def extract_template(message: str) -> str:
    """Extract the template: the first line of a message with `*` for what varies. Takes about 20 us."""
    line = message.strip().partition("\n")[0][:MAX_LINE_LENGTH]
    for apply_rule in MASKING_RULES:
        line = apply_rule(line)
    return " ".join(line.translate(_RESTORE_DIGITS).split())
