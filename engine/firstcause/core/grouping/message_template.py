"""From the words of an error to its template: what stays the same in every occurrence of one fault.

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

LONGEST = 1000
"""Characters of a line that are looked at."""

_TELLING = frozenset((
    "error", "err", "msg", "message", "reason", "cause", "status", "code", "state", "level", "severity",
    "type", "kind", "class", "exception", "event", "op", "operation", "action", "method", "result",
    "errno", "signal", "detail", "details", "description", "title", "summary", "warning",
))  # fmt: skip
"""Keys whose values say what went wrong; those of all others say to whom, where and when."""

_KINDS = (
    "account|app|application|bucket|client|cluster|company|consumer|container|customer|database|device|domain|"
    "file|group|host|index|instance|job|key|node|order|partition|pod|queue|server|session|shard|table|task|"
    "tenant|thread|topic|user|username|volume|worker"
)
"""What a name follows: "for user anna", "no such table: orders"."""

_PACKAGE = r"(?:com|org|net|io|java|javax|jakarta|sun|jdk|scala|kotlin|dev|edu|gov)\."
_DOMAIN = (
    "com|org|net|edu|gov|mil|int|io|dev|app|cloud|info|biz|local|internal|localdomain|intranet|lan|corp|svc"
)
# Endings of files that are also those of countries.
_ENDINGS = ("cs", "db", "gz", "js", "kt", "md", "pl", "py", "rb", "rs", "sh", "so", "ts")
_FILES = "".join(rf"(?<!\.{ending})" for ending in _ENDINGS)
_PART = r"[\w.@%+~#$*-]{1,200}"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|"
    "Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY = "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? {1,2})"
_BARE = str.maketrans("", "", "\"'")
# Digits that are to stay, out of the way of the masks, and back.
_HIDDEN = str.maketrans("0123456789", "".join(map(chr, range(0xE000, 0xE00A))))
_SHOWN = {place: digit for digit, place in _HIDDEN.items()}


@dataclass(frozen=True)
class Masking:
    """One kind of what varies. needs: a text without any of these has none of it."""

    name: str
    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    by: str | Callable[[re.Match[str]], str] = "*"

    def __call__(self, line: str) -> str:
        if self.needs and not any(each in line for each in self.needs):
            return line
        return self.pattern.sub(self.by, line)


def _kept(found: re.Match[str]) -> str:
    return found[0].translate(_HIDDEN)


def _pair(found: re.Match[str]) -> str:
    key = found["bare"] or found["quoted"]
    last = re.split(r"[._-]", key.lower())[-1]
    return f"{key}={found['value'].translate(_BARE) if last in _TELLING else '*'}"


def _quoted(found: re.Match[str]) -> str:
    """A value of a word or two goes; what is longer is a sentence, and masked within."""
    words = found[0][1:-1]
    return words if words.count(" ") > 1 else "*"


MASKINGS = (
    Masking(
        "numbers that name an error",
        ("rr", "RR", "tatus", "ode", "xit", "http", "HTTP", "sql", "SQL", "ignal", "eturned", "esponded"),
        re.compile(
            r"(?i:\b(?:errno|error|signal|exit status|(?:error|err|exit|status|response|return)[ _-]?code)"
            r"[ :=#(\[]{1,3}-?\d{1,5}\b(?![.:/-]\d)|\bsqlstate[ :=#(\[]{1,3}[0-9A-Z]{5}\b"
            r"|\b(?:http(?:/\d\.\d)?|status|code|returned|responded with)[ :=(\[]{1,2}[45]\d\d\b(?![.:/-]\d))"
        ),
        _kept,
    ),
    Masking(
        "pairs of key and value",
        ("=", '":', '" :', "':", "' :"),
        re.compile(
            r"(?:(?<![\w.])(?P<bare>[A-Za-z_][\w.-]{0,60})=|(?P<mark>[\"'])(?P<quoted>[A-Za-z_][\w.-]{0,60})(?P=mark)\s?:\s?)"
            r"(?P<value>\"[^\"]{0,500}\"|'[^']{0,500}'|[^\s,;()\[\]{}\"']*)"
        ),
        _pair,
    ),
    Masking(
        "addresses of pages and services",
        ("://",),
        re.compile(r"\b[a-zA-Z][\w+.-]{1,20}://[^\s\"'<>()\[\]{},;]*"),
    ),
    Masking(
        "quoted values",
        ("'", '"', "`"),
        re.compile(r"(?<![\w'])'[^']{0,200}'(?!\w)|\"[^\"]{0,200}\"|`[^`]{0,200}`"),
        _quoted,
    ),
    Masking(
        "mail addresses", ("@",), re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,9}")
    ),
    Masking(
        "paths",
        ("/", "\\"),
        re.compile(rf"(?<![\w.:*~/\\-])(?:[A-Za-z]:[\\/]|~?/|\.{{1,2}}/)(?:{_PART}[\\/]){{0,50}}{_PART}"),
    ),
    Masking(
        "dates with names",
        _MONTHS,
        re.compile(
            rf"\b{_DAY}?(?:\d{{1,2}}[ -])?\b{_MONTH}[ -]{{1,2}}"
            r"\d(?:[\d:., T]{0,30}\d)?(?: [A-Z]{3,4} \d{4})?"
        ),
    ),
    Masking(
        "names of hosts",
        (".",),
        re.compile(
            rf"(?<![\w.-])(?!{_PACKAGE})(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,8}}(?:{_DOMAIN}|[a-z]{{2}}{_FILES})(?![\w.-])"
        ),
    ),
    Masking(
        "words with digits",
        (),
        re.compile(
            r"(?<![A-Za-z0-9_.+%#~$-])(?=[A-Za-z_.+%#~$-]*[0-9])[A-Za-z0-9_.+%#~$-]+|[0-9]+"
            r"|(?<![\w-])[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,}){0,4}(?![\w-])"
        ),
    ),
    Masking(
        "names after what they name",
        (),
        re.compile(
            r"\b((?:for|from|of|to|by|in|on|at|with|[Ii]nvalid|[Uu]nknown|[Ii]llegal|[Ss]uch) (?:invalid )?"
            rf"(?:{_KINDS}):?) (?!\*)[^\s\[\](),;:*]+"
        ),
        r"\1 *",
    ),
    Masking("lists of values", ("*",), re.compile(r"\*(?:[\s,;:/.|+-]{0,3}(?:\*|\(\*?\)|\[\*?\]))+")),
)
"""In the order in which they are applied."""


def template(message: str) -> str:
    """The first line of a message with what varies between its occurrences as `*`. About 20 us."""
    line = message.strip().partition("\n")[0][:LONGEST]
    for masking in MASKINGS:
        line = masking(line)
    return " ".join(line.translate(_SHOWN).split())
