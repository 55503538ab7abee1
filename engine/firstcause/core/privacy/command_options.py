"""Passwords in command lines of any tool: beside a user's option, by position, and in commands of servers."""

from __future__ import annotations

import re

from firstcause.core.privacy.pattern_types import (
    JSON_SPACE,
    MASKED,
    REGEX_FLAGS,
    TextPattern,
    substitute,
)
from firstcause.core.privacy.prose import is_absent, is_random

_USER_OPTIONS = r"(?:u|U|user|username|usr|login|ru)"
_MAX_LINE_LENGTH = 2_000
_WHOLE_LINE = re.compile(
    rf"[^\n]{{0,{_MAX_LINE_LENGTH}}}?(?<![^\s\"'\\])[-/]{{1,2}}{_USER_OPTIONS}[\s\"',=\\]{{1,8}}+(?!-)"
    rf"[^\n]{{0,{_MAX_LINE_LENGTH}}}+",
    re.ASCII,
)
_PASSWORD_OPTION = re.compile(
    r"(?<![^\s\"'\\])(?P<option>[-/](?:p|P|pw|pass|rp))(?P<gap>[\s\"',=\\]{0,8}+)(?P<value>[^\s\"',\\]{4,}+)",
    re.ASCII,
)
_USER_VALUE = re.compile(
    rf"(?<![^\s\"'\\])(?P<before>[-/]{{1,2}}{_USER_OPTIONS}[\s\"',=\\]{{1,8}}[^\s\"',=\\:%]{{1,64}}[:,%])"
    r"(?P<value>[^\s\"',\\]{4,}+)",
    re.ASCII,
)
_ASKING_COMMAND = re.compile(r"(?<![\w.-])(?:mysql|maria)[\w-]{0,20}(?![\w.@])", re.ASCII)
"""After a single `-p` of these, the password is asked for, and the next word is a database."""

_PORTS_OR_PATH = re.compile(r"[\d,:.-]+(?:/tcp|/udp)?|[.~]{0,2}/\S*|-\S*", re.ASCII)


def _mask_option(match: re.Match[str]) -> str:
    value = match["value"]
    is_joined = not match["gap"]
    if is_absent(value) or _PORTS_OR_PATH.fullmatch(value) or (is_joined and not is_random(value)):
        return match[0]
    return f"{match['option']}{match['gap']}{MASKED}"


def _mask_user_value(match: re.Match[str]) -> str:
    return f"{match['before']}{MASKED}" if is_random(match["value"]) else match[0]


def _mask_line(match: re.Match[str]) -> str:
    line = match[0]
    if _ASKING_COMMAND.search(line) is None:
        line = _PASSWORD_OPTION.sub(_mask_option, line)
    return _USER_VALUE.sub(_mask_user_value, line)


def _mask_random(match: re.Match[str]) -> str:
    value = match["value"]
    return match[0] if not is_random(value) else f"{match[0][: -len(value)]}{MASKED}"


_VALUE = r"(?P<value>[^\s\"'|\\]{6,}+)"

COMMAND_PATTERNS = (
    TextPattern(
        name="password beside a user's option",
        mask=substitute(_WHOLE_LINE, _mask_line),
        prefilter=(rf"(?:^|[ \"'\\trnf])[-/]{{1,2}}{_USER_OPTIONS}[ \"'\\=,]",),
        example="twine upload -u __token__ -p hunter2x dist",
        counterexample="docker run -u 1000 -p 8080:80 nginx",
    ),
    TextPattern(
        name="password by its position in a command",
        mask=substitute(
            re.compile(
                r"(?:(?-i:\bAUTH)\s{1,3}(?:[A-Za-z_-]{1,64}+\s{1,3})?+|\bsecrets?\s{1,3}set\s{1,3}[\w.-]{1,64}\s{1,3}(?:--?\w{1,20}[\s=])?+"
                r"|\bSETUSER\s[^\n]{0,100}?\s[><#]"
                r"|\bnet\s{1,3}user\s{1,3}[\w.@\\-]{1,64}\s{1,3}|\bnet\s{1,3}use\s[^\n]{0,100}?\\\S{1,100}\s{1,3}"
                r"|\bwpa_passphrase\s{1,3}\S{1,32}\s{1,3}|\bSecureString\s{1,3}(?:-String\s{1,3})?\\{0,31}[\"']?"
                rf"|\bpassword\s{{1,3}}[0-9]\s|\bsecret\s{{1,3}}[0-9]\s){_VALUE}",
                REGEX_FLAGS,
            ),
            _mask_random,
        ),
        prefilter=(
            rf"(?-i:AUTH){JSON_SPACE}",
            rf"secrets?{JSON_SPACE}{{1,3}}set{JSON_SPACE}",
            rf"setuser{JSON_SPACE}",
            rf"net(?:{JSON_SPACE}){{1,3}}use",
            "wpa_passphrase", "securestring", rf"(?:password|secret){JSON_SPACE}{{1,3}}[0-9]{JSON_SPACE}",
        ),
        example="AUTH default q8Zr2LmX0vTn5KcY failed",
        counterexample="AUTH default failed",
    ),
    TextPattern(
        name="password's hash after its scheme",
        mask=substitute(
            re.compile(
                r"\{(?:S{0,2}SHA\d{0,3}|S?MD5|CRYPT|PBKDF2[\w-]{0,20}|ARGON2\w{0,3})\}"
                r"(?P<value>[\w+/=.$-]{8,}+)",
                REGEX_FLAGS,
            ),
            lambda match: f"{match[0][: -len(match['value'])]}{MASKED}",
        ),
        prefilter=(r"\{(?:s{0,2}sha\d*|s?md5|crypt|pbkdf2[\w-]*|argon2\w*)\}",),
        example="userPassword: {SSHA}c2VjcmV0OnZhbHVl",
        counterexample="the scheme {SSHA} is unknown",
    ),
)  # fmt: skip
