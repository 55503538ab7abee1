"""Secrets in a sentence, without a sign between the name and the value."""

from __future__ import annotations

import re

from firstcause.core.privacy.names import FOREIGN_REGEX, FOREIGN_TEXT_REGEX, is_secret_name
from firstcause.core.privacy.pattern_types import (
    JSON_QUOTE,
    JSON_REST,
    JSON_SPACE,
    MASKED,
    REGEX_FLAGS,
    TextPattern,
    substitute,
)
from firstcause.core.privacy.prose import is_ordinary_value, is_random, is_strongly_random

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
_VARIABLE_WORDS = r"pass[a-z]*|pwd|pw|secret|token|key|credentials?|auth|cookie"
_COMPOUND = re.compile(r"[a-z][A-Z]|[A-Za-z][_.-]|^_|pw\Z", re.ASCII)
_COLUMN_TYPE = re.compile(r"[a-z]{3,20}\(\d{1,5}\)?", REGEX_FLAGS)
_ESCAPED_CHAR = re.compile(r"\\{1,31}u[0-9a-f]{4}", REGEX_FLAGS)
_TIME = re.compile(r"\d{4}-\d\d-\d\d\S*", re.ASCII)


def _mask_told(match: re.Match[str]) -> str:
    value = match["value"].rstrip(_SENTENCE_END + "\\")
    is_ordinary = (
        is_ordinary_value(value)
        or _TIME.fullmatch(value)
        or _LETTERS.fullmatch(value)
        or _COLUMN_TYPE.fullmatch(value)
        or not any(map(str.isdigit, _ESCAPED_CHAR.sub("", value)))
    )
    return match[0] if is_ordinary else f"{match[0][: -len(match['value'])]}{MASKED}"


def _mask_variable(match: re.Match[str]) -> str:
    """Mask what follows a name of several words, such as DB_PASSWORD, storePassword or pre-shared-key."""
    name = match["name"]
    is_compound = _COMPOUND.search(name) is not None
    return _mask_told(match) if is_compound and is_secret_name(name) else match[0]


def _mask_told_word(match: re.Match[str]) -> str:
    is_password = _PASSWORD_NAME.match(match[0]) is not None
    return _mask_told(match) if is_password or is_random(match["value"].rstrip("\\")) else match[0]


def _mask_after_words(match: re.Match[str]) -> str:
    """Mask what follows a password's word, also with words between; those need a sign or a random value."""
    between = match[0][: -len(match["value"])]
    has_sign = ":" in between or between[-1:] in ("'", '"', "`")
    is_direct = len(between.split()) == 1
    return _mask_told(match) if has_sign or is_direct or is_random(match["value"].rstrip("\\")) else match[0]


def _mask_strong(match: re.Match[str]) -> str:
    """Mask a generated key that stands some words after a secret's word, as in `cargo login KEY`."""
    return f"{match['before']}{MASKED}" if is_strongly_random(match["value"]) else match[0]


def _mask_random(match: re.Match[str]) -> str:
    value = match["value"].rstrip(_SENTENCE_END + "\\")
    return _mask_told(match) if is_random(value) else match[0]


_STRONG_WORDS = r"login|token|secret|key|passw|auth|credential|config"
_MIXED = r"[a-z]\d[A-Z]|\d[A-Z][a-z]|[A-Z]\d[a-z]|[a-z][A-Z]\d|\d[a-z][A-Z]|[A-Z][a-z]\d"
_PASSWORD_NAME = re.compile(rf"{_NAME}|(?:{FOREIGN_TEXT_REGEX})", REGEX_FLAGS)
_DIGIT_FORM = r"(?:[^ \"\\]|\\.)*[0-9]"
_KEY_WORDS = (
    r"(?:api[ _-]?key|(?:access|auth|license|tacacs-server|radius-server|isakmp)[ _-]?key"
    r"|secret|token|community|apikey)"
)

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
                rf"(?:{_VERB}\s{{1,3}}\\{{0,31}}[\"'`]?|\\{{0,31}}[\"'`])|(?:{FOREIGN_TEXT_REGEX})(?:[はが是为為]|\\{{1,31}}u(?:662f|4e3a|70ba|306f|304c))(?=[A-Za-z0-9])){_RANDOM}",
                REGEX_FLAGS,
            ),
            _mask_told_word,
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
            _mask_after_words,
        ),
        prefilter=(rf"{_NAME}(?:{JSON_SPACE}|[(:])",),
        example="user ann with password hunter2024",
        counterexample="the password of ann expired on 2026-01-01",
    ),
    TextPattern(
        name="secret after a variable's name",
        mask=substitute(
            re.compile(
                rf"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]{{2,60}}+)[ \t]{{1,3}}+(?:\d[ ])?+"
                rf"(?:\\{{0,31}}[\"'])?+{_RANDOM}",
                REGEX_FLAGS,
            ),
            _mask_variable,
        ),
        prefilter=(
            rf"(?:{_VARIABLE_WORDS})[\w.-]*{JSON_SPACE}{{1,3}}(?:[0-9] )?{JSON_QUOTE}?{_DIGIT_FORM}",
        ),
        example="ENV SMTP_PASSWORD hunter2024",
        counterexample="column api_key is missing",
    ),
    TextPattern(
        name="random value after a secret's word",
        mask=substitute(
            re.compile(rf"(?<![\w-])(?:{_KEY_WORDS})\s{{1,3}}+(?:\d\s)?+{_RANDOM}", REGEX_FLAGS),
            _mask_random,
        ),
        prefilter=(rf"{_KEY_WORDS}{JSON_SPACE}{{1,3}}(?:[0-9] )?{_DIGIT_FORM}",),
        example="the API key q8Zr2LmX0vTn5KcY is invalid",
        counterexample="secret db-creds-v2 not found",
    ),
    TextPattern(
        name="generated key some words after a secret's word",
        mask=substitute(
            re.compile(
                rf"(?P<before>(?:{_STRONG_WORDS})(?:[^\n\"\\]|\\[\"']){{0,60}}?[\s\"'])"
                rf"(?P<value>(?=[\w-]{{0,60}}?(?-i:{_MIXED}))[\w-]{{12,200}}+)(?![\w./@:=(])",
                REGEX_FLAGS,
            ),
            _mask_strong,
        ),
        prefilter=(rf"(?:{_STRONG_WORDS}){JSON_REST}(?-i:{_MIXED})",),
        example="cargo login q8Zr2LmX0vTn5KcY",
        counterexample="the key sha256WithRSAEncryption is unknown",
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
