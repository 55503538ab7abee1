"""Secrets in a sentence, without a sign between the name and the value."""

from __future__ import annotations

import re

from firstcause.core.privacy.names import FOREIGN_REGEX, FOREIGN_TEXT_REGEX, is_secret_name
from firstcause.core.privacy.pattern_types import (
    JSON_QUOTE,
    JSON_SPACE,
    MASKED,
    REGEX_FLAGS,
    TextPattern,
    substitute,
)
from firstcause.core.privacy.prose import is_ordinary_value

_NAME = (
    r"(?:password|passwd|passphrase|passcode|passwort|kennwort|contrasena|senha|mot[ ]de[ ]passe|wachtwoord"
    r"|adgangskode|passord|salasana|parola)"
)
_VERB = r"(?:is|was|to|lautet|ist|es|est|(?:é|\\{1,31}u00e9)|är|jest)"
# Unlike a word: letters and digits mixed, and no name of an algorithm.
_RANDOM = (
    r"(?=[^\s\"'`]{0,60}?[a-z])(?=[^\s\"'`]{0,60}?\d)(?!(?:sha|rs|hs|es|ps|md|v|aes|utf|base)-?\d)"
    r"(?P<value>[^\s\"'`,;]{6,}+)"
)
_SENTENCE_END = ".,;:!?)"
_LETTERS = re.compile(r"[A-Za-z_.-]+", re.ASCII)
_VARIABLE_WORDS = r"pass[a-z]*|pwd|secret|token|key|credentials?|auth|cookie"
_VARIABLE_WORD = re.compile(rf"(?:^|_)(?:{_VARIABLE_WORDS})(?:_|\Z)", REGEX_FLAGS)
_TIME = re.compile(r"\d{4}-\d\d-\d\d\S*", re.ASCII)


def _mask_told(match: re.Match[str]) -> str:
    value = match["value"].rstrip(_SENTENCE_END)
    is_ordinary = is_ordinary_value(value) or _TIME.fullmatch(value) or _LETTERS.fullmatch(value)
    return match[0] if is_ordinary else f"{match[0][: -len(match['value'])]}{MASKED}"


def _mask_variable(match: re.Match[str]) -> str:
    name = match["name"]
    is_secret = _VARIABLE_WORD.search(name) is not None and is_secret_name(name)
    return _mask_told(match) if is_secret else match[0]


_TOLD_FORM = (
    rf"(?:{_NAME}|api[ _-]?key|secret|token|{FOREIGN_REGEX}){JSON_SPACE}{{1,3}}"
    rf"(?:(?:is|was|to|lautet|ist|es|est|\xc3[\xa9\x89\xa4\x84]r?|jest|\\\\+u00e9){JSON_SPACE}|{JSON_QUOTE})"
)

SENTENCE_PATTERNS = (
    TextPattern(
        name="secret told in a sentence",
        mask=substitute(
            re.compile(
                rf"(?:(?:\b(?:{_NAME}|api[ _-]?key|secret|token)|{FOREIGN_TEXT_REGEX})\s{{1,3}}"
                rf"(?:{_VERB}\s{{1,3}}[\"'`]?|[\"'`])|(?:{FOREIGN_TEXT_REGEX})[はが是为為](?=[A-Za-z0-9])){_RANDOM}",
                REGEX_FLAGS,
            ),
            _mask_told,
        ),
        prefilter=(_TOLD_FORM, rf"(?:{FOREIGN_REGEX})[\x80-\xff]{{3}}[a-z0-9]"),
        example="your new password is hunter2024",
        counterexample="the password is too short",
    ),
    TextPattern(
        name="password with words between",
        mask=substitute(
            re.compile(
                rf"\b{_NAME}(?:\s{{1,3}}"
                rf"(?:(?:for|of|from|van|von|f(?:ü|\\{{1,31}}u00fc)r|de|do|du|per|user)\s{{1,3}}){{0,2}}[\w@.-]{{1,64}}"
                rf"|\s{{0,3}}\([^()\n]{{1,64}}\))?(?::\s{{0,3}}|\s{{1,3}})[\"'`]?{_RANDOM}",
                REGEX_FLAGS,
            ),
            _mask_told,
        ),
        prefilter=(rf"{_NAME}(?:{JSON_SPACE}|[(:])",),
        example="user ann with password hunter2024",
        counterexample="the password of ann expired on 2026-01-01",
    ),
    TextPattern(
        name="secret after a variable's name",
        mask=substitute(
            re.compile(
                rf"(?<![\w.-])(?P<name>[A-Za-z]{{1,20}}(?:_[A-Za-z]{{1,20}}){{1,5}})[ \t]{{1,3}}{_RANDOM}",
                REGEX_FLAGS,
            ),
            _mask_variable,
        ),
        prefilter=(
            rf"(?:{_VARIABLE_WORDS})_[a-z_]+{JSON_SPACE}",
            rf"_(?:{_VARIABLE_WORDS})(?:_[a-z_]*)?{JSON_SPACE}",
        ),
        example="ENV SMTP_PASSWORD hunter2024",
        counterexample="column api_key is missing",
    ),
    TextPattern(
        name="name and password together",
        mask=substitute(
            re.compile(
                rf"\b(?:credentials?|creds|login|userpass)\s{{1,3}}[\w.@-]{{1,64}}[:/](?!/){_RANDOM}",
                REGEX_FLAGS,
            ),
            _mask_told,
        ),
        prefilter=(rf"(?:credentials?|creds|login|userpass){JSON_SPACE}{{1,3}}[\w.@-]+[:/]",),
        example="refused credentials ann/hunter2024",
        counterexample="login https://sso.example.org/path2",
    ),
)  # fmt: skip
