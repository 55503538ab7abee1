"""Secrets after their name in a text: `password=...`, JSON, YAML, XML, SQL, argument lists, pairs.

`prose` tells a value from prose and code; `names` lists the names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from firstcause.core.privacy.names import (
    FOREIGN_TEXT_REGEX,
    NAME_REGEX,
    TEXT_NAME_FORM,
    TEXT_NAME_REGEX,
    decode_name,
    is_secret_name,
)
from firstcause.core.privacy.pattern_types import (
    JSON_QUOTE,
    JSON_REST,
    JSON_SPACE,
    MASKED,
    REGEX_FLAGS,
    TextPattern,
    substitute,
)
from firstcause.core.privacy.prose import (
    FIELD_NAMES,
    begins_absent,
    begins_code,
    begins_message,
    is_absent,
    is_ordinary_value,
    is_random,
    is_secret_identifier,
    is_status_word,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_QUOTE = r"(?:\\{0,31}[\"'`]|%2[27]|&(?:quot|apos|\#3[49]);|\\{1,31}u002[27])"
_SEPARATOR = (
    r"(?::=|={1,3}>?|!={1,2}|::?=?|%3[AD]|&\#(?:61|x3d);|\uff1a|\uff1d|\\{1,31}uff1[ad]"
    r"|,[ ]?<<(?=\\{0,31}\"))"
)
_SUFFIX = r"(?:s?(?:[ ](?:de|di|of)[ ][a-z]{3,12}+|[_-][\w-]{0,24}+|(?-i:[A-Z])\w{0,24}+|\d{1,3})?+)"
# Letters of other alphabets after the word, as in "password of the user".
_FOREIGN_WORDS = (
    r"(?:[ \t]?(?:[^\x00-\x7F\uff1a\uff1d]|\\{1,31}u(?!00[0-7]|ff1[ad])[0-9a-f]{4}){1,16}+){0,2}+"
    r"(?:[ ][^\s\"'\\:=,;\uff1a\uff1d]{2,20}+(?=[ ]?[:=]))?+"
)
_LABEL = re.compile(
    rf"(?P<core>{TEXT_NAME_REGEX}|(?:{FOREIGN_TEXT_REGEX}){_FOREIGN_WORDS})(?P<suffix>{_SUFFIX})"
    rf"(?P<close>(?:{_QUOTE}(?::(?:protected|private))?+|[\]}}]){{0,2}}+)"
    rf"[ \t]{{0,3}}+(?P<separator>{_SEPARATOR})(?P<space>[ \t]{{0,3}}+)"
    r"(?:string\(\d{1,6}\)[ \t])?+(?:<<(?=\\{0,31}\"))?+(?:[bruNf]{1,2}+(?=\\{0,31}[\"']))?+(?=\S)",
    REGEX_FLAGS,
)
_VALUE_END = r"""\s"'&;<>,)}\]"""
_BARE_VALUE = rf"(?:\[masked\]|[^{_VALUE_END}\\]++|\\(?![\"'])|[,)}}\]](?!\\{{0,31}}[{_VALUE_END}]|\Z))++"
_PARAMETERS = (
    r"(?:[\w-]{1,40}=(?:\\{0,31}\"[^\"\n\\]*+\\{0,31}\"|[^\s,;\"']++)"
    r"(?:[,;][ \t]{0,3}+|(?=[\s\"',;\\]|\Z)))++"
)
_ENCODED_QUOTE = r"%2[27]|&(?:quot|apos|\#3[49]);|\\{1,31}u002[27]"
_QUOTED = (
    r"(?P<triple>\"{3}|'{3})(?P<body>(?:(?!(?P=triple))[^\\\n]){1,400}+)|"
    r"(?P<escapes>\\{1,31}+)(?P<nested>[\"'])(?P<deep>(?:(?!(?P=nested))[^\\\n]|(?!(?<!\\)(?P=escapes)(?P=nested))\\)*+)"
    r"|\"(?P<double>(?:[^\"\\\n]++|\\.)*+)(?P<end2>\"?)"
    r"|'(?P<single>(?:[^'\\\n]++|\\.)*+)(?P<end1>'?)"
    r"|`(?P<tick>[^`\n]*+)`"
    rf"|(?P<encoded>{_ENCODED_QUOTE})(?P<inner>(?:(?!{_ENCODED_QUOTE})\S)*+)"
)
_VALUE = re.compile(
    r"(?P<block>[|>][-+\d]{0,2}[ \t]*+\r?\n)(?P<lines>(?:[ \t]++[^\n]*+(?:\n|\Z))++)"
    r"|(?P<escaped_block>[|>][-+\d]{0,2})(?P<escaped_lines>(?:\\{1,31}n[ \t]++[^\\\n\"']*+)++)"
    rf"|{_QUOTED}"
    r"|(?P<opening>[A-Za-z_][\w.:]{0,60}+\(\s{0,3}+[bru]?(?P<wrap>\\{0,31}[\"']))"
    r"(?P<wrapped>(?:(?!(?P=wrap))[^\n()]){6,400}+)(?=(?P=wrap))"
    r"|(?P<container>(?!\[masked\])[\[({][^\]\[(){}\n]{1,2000}+[\])}]?)"
    rf"|(?P<bare>{_BARE_VALUE})",
    REGEX_FLAGS,
)
_AUTHORIZATION_VALUE = re.compile(
    rf"(?P<bare>(?:[A-Za-z][\w-]{{0,40}}[ \t]{{1,3}}+)?+(?:{_PARAMETERS}|{_BARE_VALUE}))", REGEX_FLAGS
)
_COOKIE_VALUE = re.compile(
    rf"(?P<bare>{_BARE_VALUE}(?:;[ \t]?[\w.-]{{1,64}}+=[^\s;\"',]{{0,4096}}+)*+)", REGEX_FLAGS
)
_NAME_BEFORE = re.compile(r"[\w-]{0,40}\Z", re.ASCII)
_MAX_NAME_BEFORE = 40
_PARSER_WORD = re.compile(
    r"(?:cancellation|lock|fencing|sync|continuation|page|resume|unexpected|illegal|offending|unrecognized|expected|mismatched|extraneous|stray|next|last|current|syntax"
    r"|near|bad|lookahead|end|start|stop)\s+\Z",
    REGEX_FLAGS,
)
_MAX_PARSER_TOKEN_LENGTH = 15
_MAX_SENTENCE_LENGTH = 300
_MAX_BARE_DIGITS = 2
_LINE_NUMBER = re.compile(r"\d{1,5}(?=[:),\s]|\Z)", re.ASCII)
_ARN_PART = re.compile(r":secret\Z", re.ASCII)
_SENTENCE_LIMIT = re.compile(r"\n|\\{1,31}n|\\{0,31}\"|\\{0,31}'(?=[\s,)\]}]|\Z)", re.ASCII)
# A password may be a word; a token, a key or a session is none.
_PASSWORD_LIKE = re.compile(r"pass|pwd|secret|psk|wort|woord|senha|clave|mdp|[^\x00-\x7F]", re.IGNORECASE)
_SENTENCE_END = ".,;:!?)"
_WORD_OR_FRACTION = re.compile(r"[A-Za-z_.:-]+|\d{1,4}\.\d{1,6}", re.ASCII)
_LETTERS = re.compile(r"[A-Za-z_.:-]+", re.ASCII)
_FOLDER_NAMES = frozenset({"pwd", "oldpwd"})
_PATH = re.compile(r"~?/|[A-Za-z]:\\", re.ASCII)
_TEST_NAME = re.compile(r"(?:test|spec)", REGEX_FLAGS)
_PROSE = re.compile(r"[a-z]{2,20} [a-z]{2,20} [a-z\d]", re.ASCII)
_STRING = re.compile(r"[\"']([^\"'\n]*)[\"']", re.ASCII)


@dataclass(frozen=True)
class _Label:
    """A name in a text and the separator after it.

    name: the whole name. before: what stands before it.
    is_weak: whether prose may follow, as after `token: `.
    is_tight: whether a colon without a space follows, as in `token:17`.
    is_comparison: whether the separator compares, as in `token == x`.
    """

    name: str
    before: str
    is_weak: bool
    is_tight: bool
    is_comparison: bool

    @property
    def is_parser_token(self) -> bool:
        return self.name.lower() == "token" and _PARSER_WORD.search(self.before) is not None


def _read_label(match: re.Match[str]) -> _Label | None:
    text, start = match.string, match.start()
    before = _NAME_BEFORE.search(text, max(0, start - _MAX_NAME_BEFORE), start)
    name_start = before.start() if before is not None else start
    name = decode_name(text[name_start : match.end("suffix")])
    separator = match["separator"]
    is_colon = separator in {":", "::"}
    is_tight = is_colon and not match["space"] and not match["close"]
    if is_tight and _ARN_PART.search(text, max(0, start - 1), match.end("core")):
        return None
    if not is_secret_name(name) and not is_secret_name(name.partition(" ")[0]):  # of ..., de ...
        return None
    return _Label(
        name=name,
        before=text[max(0, name_start - _MAX_NAME_BEFORE) : name_start],
        is_weak=is_colon and not match["close"],
        is_tight=is_tight,
        is_comparison=separator[0] == "!" or separator.startswith("=="),
    )


def _keeps_bare(label: _Label, value: str, line: str) -> bool:
    first = value.split(None, 1)[0]
    sentence = _SENTENCE_LIMIT.split(line, maxsplit=1)[0]
    if (
        is_absent(value)
        or begins_absent(value)
        or (value.isdigit() and len(value) <= _MAX_BARE_DIGITS)
        or begins_code(line)
    ):
        return True
    if value.isdigit() and label.name.lower() == "pass":  # of tests
        return True
    if label.name == "PASS" and _TEST_NAME.match(value):
        return True
    if label.name.lower() in _FOLDER_NAMES and _PATH.match(value):
        return True
    if label.is_weak:
        is_line = label.is_tight and "pass" not in label.name.lower() and _LINE_NUMBER.match(sentence)
        is_attribute = "." in value and is_secret_identifier(value)
        is_word = _PASSWORD_LIKE.search(label.name) is None and _WORD_OR_FRACTION.fullmatch(value) is not None
        is_prose = label.name.lower() == "secret" and _PROSE.match(sentence) is not None
        return bool(is_line) or is_attribute or is_word or is_prose or begins_message(sentence)
    is_compared = label.is_comparison and _LETTERS.fullmatch(value) is not None
    return is_status_word(first) or is_secret_identifier(value) or is_compared


def _keeps_quoted(label: _Label, value: str) -> bool:
    is_parsed = label.is_parser_token and len(value) <= _MAX_PARSER_TOKEN_LENGTH
    return is_parsed or is_ordinary_value(value)


def _keeps_container(value: str) -> bool:
    strings = _STRING.findall(value)
    inner = value.strip("[](){} ")
    if strings:
        return all(map(is_ordinary_value, strings))
    is_remark = value.startswith("(") and len(inner.split()) > 1
    return is_remark or is_absent(value) or is_ordinary_value(inner)


def _replace_value(label: _Label, value: re.Match[str]) -> str | None:  # noqa: PLR0911 - one for each form
    """The value masked, or None where it stays."""
    group: Callable[[str], str | None] = value.groupdict().get
    if (lines := group("lines")) is not None:
        indent = lines[: len(lines) - len(lines.lstrip(" \t"))]
        end = "\n" if lines.endswith("\n") else ""
        return None if lines.strip() == MASKED else f"{value['block']}{indent}{MASKED}{end}"
    if group("escaped_lines") is not None:
        return f"{value['escaped_block']} {MASKED}"
    if (wrapped := group("wrapped")) is not None:
        return f"{value['opening']}{MASKED}" if is_random(wrapped) else None
    if (container := group("container")) is not None:
        return None if _keeps_container(container) else MASKED
    if (bare := group("bare")) is not None:
        text, start = value.string, value.start()
        line = text[start : start + _MAX_SENTENCE_LENGTH].partition("\n")[0]
        is_parsed = label.is_parser_token and len(bare) <= _MAX_PARSER_TOKEN_LENGTH
        return None if is_parsed or _keeps_bare(label, bare, line) else MASKED
    for kind, opening, closing in (
        ("body", group("triple"), ""),
        ("double", '"', group("end2")), ("single", "'", group("end1")), ("tick", "`", "`"),
        ("deep", f"{group('escapes')}{group('nested')}", ""), ("inner", group("encoded"), ""),
    ):  # fmt: skip
        if (quoted := group(kind)) is not None:
            return None if _keeps_quoted(label, quoted) else f"{opening}{MASKED}{closing}"
    return None


def _match_value(label: _Label, text: str, position: int) -> re.Match[str] | None:
    name = label.name.lower()
    if text[position] not in "\"'\\`|>[({&%":
        if name.endswith(("authorization", "auth")):
            return _AUTHORIZATION_VALUE.match(text, position)
        if "cookie" in name:
            return _COOKIE_VALUE.match(text, position)
    return _VALUE.match(text, position)


def _mask_named(text: str) -> str:
    parts, copied, position = [], 0, 0
    while (match := _LABEL.search(text, position)) is not None:
        # A value that stays may contain a secret: the next search begins at its start.
        position = match.end()
        label = _read_label(match)
        value = _match_value(label, text, position) if label is not None else None
        if label is None or value is None or (replaced := _replace_value(label, value)) is None:
            continue
        parts += [text[copied : value.start()], replaced]
        copied = position = value.end()
    return "".join([*parts, text[copied:]]) if parts else text


def _is_secret_pair(match: re.Match[str]) -> bool:
    value = match["value"]
    return is_secret_name(decode_name(match["name"])) and not is_ordinary_value(value)


def _is_secret_item(match: re.Match[str]) -> bool:
    """The same in a list, where the value may be the name of another field."""
    value = match["value"]
    return _is_secret_pair(match) and value.lower() not in FIELD_NAMES and not is_secret_name(value)


def _mask_pairs(regex: re.Pattern[str], is_secret: Callable[[re.Match[str]], bool], text: str) -> str:
    """Mask the group `value` of each match that is a secret."""
    parts, copied, position = [], 0, 0
    while (match := regex.search(text, position)) is not None:
        start, end = match.span("value")
        # A value that stays may contain a secret: the next search begins at its start.
        position = max(start, match.start() + 1)
        if is_secret(match):
            parts += [text[copied:start], MASKED]
            copied = position = end
    return "".join([*parts, text[copied:]]) if parts else text


def _mask_option(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"] or match["quoted"]
    text, start = match.string, match.start("value")
    is_prose = start >= 0 and begins_message(text[start : start + _MAX_SENTENCE_LENGTH])
    if is_prose or not is_secret_name(name) or is_ordinary_value(value) or is_secret_identifier(value):
        return match[0]
    return f"{match[1]}{match['quote'] or ''}{MASKED}"


def _mask_sql(match: re.Match[str]) -> str:
    return match[0] if is_absent(match["value"]) else f"{match[1]}{MASKED}"


_GAP = r"(?:\s|\\{1,31}[nrt]){0,20}+"
_NAME_IN_QUOTES = r"(?P<name>[^\s\"'`\\,:=<>()\[\]{}]{1,80}+)"
_VALUE_IN_QUOTES = r"(?P<value>(?:(?!(?P=quote))[^\n])*+)"
_FORM_NAME = (
    rf"{TEXT_NAME_FORM}(?:s? (?:de|di|of) [a-z]+)?(?: ?[\x80-\xff]+){{0,2}}"
    rf"(?: [^ :=,;\"\\]{{1,60}})?[\w-]{{0,30}}"
)
_FORM_CLOSE = rf"(?:{JSON_QUOTE}|:protected|:private|%2[27]|&[\w#]+;|\\*u002|[27\])}}]){{0,6}}"
_FORM_QUOTE = r"(?:\\+\"|\\*['`]|%2[27]|&[\w#]+;|\\*u002[27])"
_PAIR_FORM = (
    rf"(?:{NAME_REGEX})[^\"\\,]*{_FORM_QUOTE}{JSON_SPACE}{{0,3}},?{JSON_SPACE}{{0,3}}[bru]?{_FORM_QUOTE}"
)
_BESIDE_FORM = (
    rf"(?:name|key|id|header|field|variable){_FORM_CLOSE}(?:\s|\\.){{0,3}}[:=](?:\s|\\.){{0,3}}"
    rf"{JSON_QUOTE}?[\w.-]*{TEXT_NAME_FORM}"
)

LABEL_PATTERNS = (
    TextPattern(
        name="secret after its name",
        mask=_mask_named,
        prefilter=(rf"{_FORM_NAME}{_FORM_CLOSE}{JSON_SPACE}{{0,3}}(?:[:=]|!=|%3[ad]|&#|,|\xef\xbc)",),
        example="login failed: DB_PASSWORD='correct horse'",
        counterexample="login failed: password=None",
    ),
    TextPattern(
        name="secret after its name in a pair",
        mask=partial(_mask_pairs,
            re.compile(
                rf"[(\[]\s{{0,3}}+[bru]?(?P<open>{_QUOTE}){_NAME_IN_QUOTES}(?P=open)\s{{0,3}}+,\s{{0,3}}+[bru]?"
                rf"(?P<quote>{_QUOTE}){_VALUE_IN_QUOTES}(?P=quote)\s{{0,3}}+,?\s{{0,3}}+[)\]]",
                REGEX_FLAGS,
            ),
            _is_secret_item,
        ),
        prefilter=(_PAIR_FORM,),
        example="sent (b'authorization', b'Bearer x1y2z3')",
        counterexample="missing: ['password', 'username']",
    ),
    TextPattern(
        name="secret after a command's option in a list",
        mask=partial(_mask_pairs,
            re.compile(
                rf"(?P<open>{_QUOTE})--?{_NAME_IN_QUOTES}(?P=open)\s{{0,3}}+,?\s{{0,3}}+"
                rf"(?P<quote>{_QUOTE})(?!-){_VALUE_IN_QUOTES}(?P=quote)",
                REGEX_FLAGS,
            ),
            _is_secret_pair,
        ),
        prefilter=(_PAIR_FORM,),
        example="ran ['mysqldump', '--db-password', 'hunter2']",
        counterexample="ran ['mysqldump', '--password', '--all']",
    ),
    TextPattern(
        name="secret after a command's option",
        mask=substitute(
            re.compile(
                rf"(?<![\w-])(--?(?P<name>(?:[a-z][a-z0-9]{{0,20}}[-_]?){{1,5}}+)[ \t]{{1,3}}+)"
                rf"(?![-|&<>;(])(?:(?P<quote>[\"'])(?P<quoted>[^\"'\n]++)|(?P<value>{_BARE_VALUE}))",
                REGEX_FLAGS,
            ),
            _mask_option,
        ),
        prefilter=(rf"-[\w-]*{_FORM_NAME}{JSON_SPACE}",),
        example="mysqldump --db-password hunter2 --all",
        counterexample="mysqldump --password --all",
    ),
    TextPattern(
        name="secret in an XML element",
        mask=partial(_mask_pairs,
            re.compile(
                r"<(?:[\w-]{1,40}+:)?(?P<name>[\w.-]{1,80}+)(?:\s[^<>]{0,200}+)?>\s{0,20}+(?:<!\[CDATA\[)?"
                r"(?P<value>[^<\]]++)(?=\]\]>|</)",
                re.ASCII,
            ),
            _is_secret_pair,
        ),
        prefilter=(rf"<{JSON_REST}{TEXT_NAME_FORM}{JSON_REST}>",),
        example='<ns:password type="text">hunter2</ns:password>',
        counterexample="<password/>",
    ),
    TextPattern(
        name="secret beside its name",
        mask=partial(_mask_pairs,
            re.compile(
                rf"(?<![\w-])(?:name|key|id|header|field|variable){_QUOTE}?+\s{{0,3}}+[:=]\s{{0,3}}+{_QUOTE}?+"
                rf"(?P<name>[\w.-]{{1,80}}+){_QUOTE}?+(?:{_GAP}[,;]?{_GAP}{_QUOTE}?+(?:value|val){_QUOTE}?+\s{{0,3}}+[:=]"
                rf"\s{{0,3}}+(?P<quote>{_QUOTE}?+)|\s{{0,3}}+>\s{{0,20}}+(?=[^<>]{{1,400}}</))(?P<value>[^\s\"'\\<>,}}]++)",
                REGEX_FLAGS,
            ),
            _is_secret_pair,
        ),
        prefilter=(_BESIDE_FORM,),
        example='<add key="Smtp.Password" value="hunter2" />',
        counterexample='<add key="Smtp.Host" value="mail" />',
    ),
    TextPattern(
        name="password in SQL",
        mask=substitute(
            re.compile(
                r"(\b(?:identified\s{1,3}(?:with\s{1,3}[\w'\"`]{1,40}\s{1,3})?(?:by|as)|(?:with|encrypted|set|user|role"
                r"|login|new|old)\s{1,3}password)(?:\s{1,3}(?:password|values))?\s{1,3}[NE]?(?P<quote>\\{0,31}['\"])"
                r"|\bidentified\s{1,3}by\s{1,3}(?!values\b|password\b)(?=[^\s'\"\\])"
                r"|(?<![\w.])password\(\\{0,31}['\"])(?P<value>[^'\"\s\\;)]++)",
                REGEX_FLAGS,
            ),
            _mask_sql,
        ),
        prefilter=("identified", rf"password{JSON_SPACE}", r"password\("),
        example="CREATE USER 'ann'@'%' IDENTIFIED BY 'hunter2'",
        counterexample='syntax error near "IDENTIFIED BY"',
    ),
)  # fmt: skip
"""Patterns for a name and a value. Rows that take any name ask `is_secret_name`."""
