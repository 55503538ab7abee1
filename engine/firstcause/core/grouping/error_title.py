"""Derives the title of an error that has no catalog entry: what a person would say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from firstcause.core.grouping.log_line import find_words, strip_prefix, strip_trailing_json

if TYPE_CHECKING:
    from collections.abc import Callable


_MAX_TITLE_LENGTH = 160
_MAX_READ_LENGTH = 1000
"""Characters of a line that the title is made of."""

_STACK_HEADS = (" panicked at ", "PHP ")
_STACK_MARKERS = ("\n", *_STACK_HEADS)

_JSON_LINES = ("{\n", "{\r\n")
_UNREAD_JSON = ('{"', "[{")

# What a runtime writes before the error, on the same line.
_RUNTIME_PHRASES = (
    (
        r"(?:(?:\*\d+ )?FastCGI sent in stderr: \"?)?(?:PHP message: )?"
        r"(?:PHP )?(?:(?:Recoverable )?[Ff]atal error|Parse error|Warning|Notice):\s{1,2}(?:Uncaught )?"
    ),
    r"(?:PHP )?Deprecated:\s{1,2}",
    r"(?:http: )?panic(?: serving \S+)?: ",
    r"Uncaught:? (?:\(in promise\):? )?",
    r"Exception in thread \"[^\"]*\" ",
    r"Unhandled (?:promise )?(?:[Ee]xception|[Rr]ejection|[Ee]rror)\b(?: at \S+)?[.: ]+",
    r"(?:Unbehandelte Ausnahme|Exception non gérée|Excepción no controlada|Eccezione non gestita) ?: ",
    r"(?:Exceção Sem Tratamento|Nieobsłużony wyjątek|Необработанное исключение) ?: ",
    "(?:未经处理的异常|未處理的例外狀況|ハンドルされていない例外) ?[:\uff1a] ?",
    r"(?:\w+: )?exception (?:error|exit|throw): ",
    r"\S+\.swift:\d+: Fatal error: ",
    r"\*\* \((?=[\w.]+\) )",
    r"\[object\] ",
    r"thread '[^']*'(?: \(\d+\))? panicked at '?",
    # Types that Go gives to every error that is only a text
    r"\*?(?:errors\.(?:errorString|joinError|fundamental|withStack|withMessage)|fmt\.wrapErrors?): ",
)
_RUNTIME_WORDS = re.compile("|".join(_RUNTIME_PHRASES))
# Where the error is, which a runtime writes behind it.
_PLACE = re.compile(
    r"(?: in (?:[A-Za-z]:)?\S+\.\w{2,5}(?::\d+| on line \d+)| at \S+ line \d+(?:, <[^>]*> \w+ \d+)?\.?"
    r"|'?, [^\s,]+\.rs:\d+(?::\d+)?|: file \S+, line \d+| \[recovered\])$"
)
_PLACE_MARKERS = (" in ", " line ", ".rs:", "[recovered]")
# Words that only say that there is an error.
_BARE_WORDS = (
    r"(?:The )?[Uu]n(?:handled|caught) (?:exception|error|rejection)[^:]{0,40}:?$|Exit code \d+$",
    r"(?:Fatal |Unknown )?(?:[Ee]rror|[Ee]xception|ERROR|panic|An exception occurred)[.:!]?$",
)
# A line that says nothing: the error is in the lines after it.
_EMPTY_LINES = (
    r"Traceback |\s*\+ Exception Group Traceback|Stack ?trace\b|Backtrace|goroutine \d|\{|\[$",
    r"thread '[^']*'(?: \(\d+\))? panicked at [^']",
    # frames
    r"#\d+ .*\(|at \S+[(:]|\s*File \"|\S+:\d+(?::\d+)?$|\S+:\d+:in |\S*@\S+:\d+$",
    # debuggers, sanitizers, crash reports
    r"\*\*\* |terminate called|Program (?:received|terminated)|==\d+==|={3,}|=[A-Z]+ REPORT|[═╡]",
    r"Fatal glibc|FATAL EXCEPTION|flutter:|\[Thread debugging|Using host lib|\[New Thread",
    r"GenServer .* terminating|Task #PID|Process #PID|Error in process|[A-Z][\w:]+ \(.*\):$",
    # the console logger of .NET
    r"(?:fail|crit|warn|info|dbug): [\w.`<>+]{1,200}\[\d+\]$",
    *_BARE_WORDS,
)
_EMPTY_LINE = re.compile("|".join(_EMPTY_LINES))
_BARE_LINE = re.compile("|".join(_BARE_WORDS))


def first_line(message: str | None) -> str:
    """Return the first line that is not empty."""
    return (message or "").strip().partition("\n")[0].rstrip("\r")


def extract_words(message: str | None) -> str:
    """Return what is grouped by: the first line that says something; of JSON or pairs, the message."""
    line = _select_line(message)
    return find_words(line) or line


def may_hold_stack(message: str | None) -> bool:
    """Whether a message may have a stack in it."""
    return message is not None and any(marker in message for marker in _STACK_MARKERS)


def begins_stack(message: str) -> bool:
    """Whether a message is what some languages write as the first line of a stack, with type and place."""
    return any(marker in message for marker in _STACK_HEADS)


class HasTitle(Protocol):
    """A parsed stack."""

    @property
    def title(self) -> str:
        """What a person would say about it."""


def derive_title(message: str | None, read_trace: Callable[[], HasTitle | None]) -> str:
    """Derive the title from the message, or from the stack if the message says nothing.

    read_trace: parses the stack, which takes too long for messages that do not need it. Returns "" if
    nothing says what happened.
    """
    line = _clean_line(_select_json(message) or first_line(message))
    words = _RUNTIME_WORDS.match(line)
    if not line or _EMPTY_LINE.match(line) or (words and may_hold_stack(message)):
        trace = read_trace()
        bare = line if _BARE_LINE.match(line) else ""
        line = trace.title[:_MAX_READ_LENGTH] if trace is not None else _find_told_line(message) or bare
        words = _RUNTIME_WORDS.match(line)
    title = line[words.end() :] if words else line
    if any(marker in title for marker in _PLACE_MARKERS):
        title = _PLACE.sub("", title)
    title = title.strip() or line
    if title.startswith(_UNREAD_JSON) or not any(map(str.isalnum, title)):
        return ""
    return title if len(title) <= _MAX_TITLE_LENGTH else title[: _MAX_TITLE_LENGTH - 3] + "..."


def _select_line(message: str | None) -> str:
    line = first_line(message)
    if message is None or "\n" not in message or not _EMPTY_LINE.match(line):
        return line
    return _select_json(message) or _find_told_line(message) or line


def _select_json(message: str | None) -> str:
    """Return JSON that is written on several lines; "" if the message is anything else."""
    text = message.strip() if message is not None and "\n" in message else ""
    return text if text.startswith(_JSON_LINES) else ""


def _clean_line(line: str) -> str:
    words = find_words(line)
    line = (words or line)[:_MAX_READ_LENGTH]
    return strip_prefix(line) if words else strip_trailing_json(strip_prefix(line))


def _find_told_line(message: str | None) -> str:
    """Find the first line that says something."""
    lines = (message or "").strip().split("\n")[:_MAX_TITLE_LENGTH]
    cleaned = (_clean_line(line.strip()) for line in lines)
    return next((line for line in cleaned if line and not _EMPTY_LINE.match(line)), "")
