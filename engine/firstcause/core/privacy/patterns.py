"""The table of secrets: what they look like in texts and in data.

The mask and the prefilter are made from this table: add a secret here and nowhere else. The tests walk the
table, mask each example and check that the prefilter flags it.

Each regex is linear in the length of its input: every quantifier is bounded or possessive. Prefilter forms
are RE2, case-insensitive, and match the bytes of a JSON document. They have no look-around, so they match
more often than the regex does, and never less often.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MASKED = "[masked]"

MIN_SECRET_LENGTH = 6
"""Characters. Shorter secrets cannot be told from ordinary text."""

_LONG_INT_DIGITS = 400
"""Digits from which on the prefilter flags a number; the mask replaces numbers of some thousand digits."""

_REGEX_FLAGS = re.IGNORECASE | re.ASCII


@dataclass(frozen=True)
class TextPattern:
    """A secret that is recognised within a text, by the name before it or by its own look.

    regex: what is replaced.
    replacement: what is kept, as `re.sub` takes it.
    hints: plain texts; each match contains at least one of them. Empty: the regex is always tried.
    ignore_case: whether the hints, which are in lower case then, match in any case.
    min_length: characters; a shorter text cannot match.
    prefilter: RE2 forms; at least one of them matches in the JSON of each text that the regex changes.
    example: a text that is masked. counterexample: a text like it that is not.
    """

    name: str
    regex: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    hints: tuple[str, ...]
    prefilter: tuple[str, ...]
    example: str
    counterexample: str
    ignore_case: bool = False
    min_length: int = MIN_SECRET_LENGTH


@dataclass(frozen=True)
class DataPattern:
    """A value that is masked for where it stands in JSON-like data, or that JSON cannot hold as it is.

    prefilter, example, counterexample: as in `TextPattern`; the examples are JSON, as a sender writes it.
    """

    name: str
    prefilter: tuple[str, ...]
    example: str
    counterexample: str


# Secrets after a name, in texts

_NAME_WORDS = (
    r"pass(?:word|wd|phrase)s?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"authorization|cookie|credentials?|session[_-]?(?:id|key)"
)
_OPTION_WORDS = r"password|passwd|secret|token|api-key|access-key|private-key"
_NAME_HINTS = ("pass", "pwd", "secret", "token", "key", "authorization", "cookie", "credential", "session")
_VALUE_END = r"""\s"'&;<>,)}\]"""
_BARE_VALUE = rf"(?:\[masked\]|[^{_VALUE_END}\\]++|\\(?![\"'])|[,)}}\]](?![{_VALUE_END}]|\Z))++"
_AUTH_SCHEME = r"(?:(?:Bearer|Basic|Digest|Token|ApiKey|Negotiate)[ \t]{1,3})?+"
_ABSENT_VALUES = frozenset({"", "null", "none", "nil", "undefined", "true", "false", "missing", "empty"})

_NAMED_SECRET = re.compile(
    rf"(?P<name>(?:{_NAME_WORDS}|(?<![A-Za-z])pass(?==))"
    r"(?:[_-][\w-]{0,24}+|(?-i:[A-Z])\w{0,24}+|\d{1,3})?+"
    r"(?:\\{0,3}[\"'])?+[ \t]{0,3}+(?:=>|:=|[:=]|>(?=[^\s<]))[ \t]{0,3}+(?:[bru](?=\\{0,7}[\"']))?+(?=[^\s]))"
    r"(?:(?P<escapes>\\{1,7}+)(?P<nested>[\"'])(?P<deep>[^\"'\n]*+)"
    r"|\"(?P<double>(?:[^\"\\\n]++|\\.)*+)(?P<end2>\"?)"
    r"|'(?P<single>(?:[^'\\\n]++|\\.)*+)(?P<end1>'?)"
    rf"|(?P<bare>{_AUTH_SCHEME}{_BARE_VALUE}(?:;[ \t]?[\w.-]{{1,64}}+=[^\s;\"',]{{0,4096}}+)*+))",
    _REGEX_FLAGS,
)


def _mask_named_secret(match: re.Match[str]) -> str:
    matched, name = match[0], match["name"]
    groups: Callable[[str], str | None] = match.group
    value = next(part for part in map(groups, ("deep", "double", "single", "bare")) if part is not None)
    if value.strip(" \\").lower() in _ABSENT_VALUES:
        return matched
    if match["deep"] is not None:
        # The backslashes before the closing quote were matched with the value.
        closing = match["escapes"] if value.endswith("\\") else ""
        return f"{name}{match['escapes']}{match['nested']}{MASKED}{closing}"
    if match["double"] is not None:
        return f'{name}"{MASKED}{match["end2"]}'
    if match["single"] is not None:
        return f"{name}'{MASKED}{match['end1']}"
    return f"{name}{MASKED}"


# Secrets with a look of their own, in texts

_WORD_START = r"(?<![A-Za-z0-9])"
# The same in JSON, where the letter of an escape such as \n may stand before a word.
_JSON_WORD_START = r"(?:^|[^A-Za-z0-9]|\\[bfnrt])"
_AWS_KEY = r"(?:AKIA|ASIA)[0-9A-Z]{16}"
_TWILIO_KEY = r"SK[0-9a-f]{32}"
_ISSUER_PREFIXES = (
    r"(?:sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|rnd_|whsec_|AIza|SG\.)"
)
_ISSUED_KEY = rf"{_ISSUER_PREFIXES}[\w.-]{{16}}"
_JWT = r"eyJ[\w-]{10}"


def _in_json(regex: str) -> str:
    """The prefilter form of a secret whose case matters and that begins a word."""
    return rf"{_JSON_WORD_START}(?-i:{regex})"


def _mask_card(match: re.Match[str]) -> str:
    digits = [int(char) for char in match[0] if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - Luhn, ISO/IEC 7812-1
    return match[0] if (sum(doubled) + sum(digits[-1::-2])) % 10 else MASKED


TEXT_PATTERNS = (
    TextPattern(
        name="PEM private key",
        regex=re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----[^-]*+(?:-(?!----)[^-]*+)*+"
            r"(?:-----END [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----)?+",
            re.ASCII,
        ),
        replacement=MASKED,
        hints=("PRIVATE KEY",),
        prefilter=("PRIVATE KEY",),
        example="-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----",
        counterexample="-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUe\n-----END CERTIFICATE-----",
    ),
    TextPattern(
        name="password in a URL",
        regex=re.compile(
            r"(://[^\s:/?#@\"'<>]{0,256}+:)(?!\d{1,5}(?:[/?#\s\"'<>,;)]|\Z))"
            r"[^\s\"'<>@]{1,256}+@(?:[^\s\"'<>@/?#]{0,256}+@)*+",
            re.ASCII,
        ),
        replacement=rf"\1{MASKED}@",
        hints=("@",),
        prefilter=(r"://[^ \"]*@",),
        example="redis://:only-a-password@cache:6379/0 refused",
        counterexample="postgresql://app@db.internal:5432/app refused",
    ),
    TextPattern(
        name="secret after its name",
        regex=_NAMED_SECRET,
        replacement=_mask_named_secret,
        hints=_NAME_HINTS,
        ignore_case=True,
        prefilter=(rf"(?:{_NAME_WORDS})[\w-]{{0,26}}(?:[\"' ]|\\.|\\t){{0,20}}[=:>]", "pass="),
        example="login failed: DB_PASSWORD='correct horse'",
        counterexample="login failed: password=None",
    ),
    TextPattern(
        name="secret after a command's option",
        regex=re.compile(
            rf"(--(?:[a-z0-9]{{1,20}}-){{0,3}}(?:{_OPTION_WORDS})[ \t]{{1,3}})(?!-){_BARE_VALUE}",
            _REGEX_FLAGS,
        ),
        replacement=rf"\1{MASKED}",
        hints=("--",),
        prefilter=(rf"-(?:{_OPTION_WORDS})(?: |\\t)",),
        example="mysqldump --db-password hunter2 --all",
        counterexample="mysqldump --password --all",
    ),
    TextPattern(
        name="secret after its authentication scheme",
        regex=re.compile(
            r"\b((?:Bearer|Basic)\s{1,3})(?=[\w.~+/=-]{0,400}?(?:[0-9=+/_]|(?-i:[a-z][A-Z])))[\w.~+/=-]{8,}+",
            _REGEX_FLAGS,
        ),
        replacement=rf"\1{MASKED}",
        hints=("bearer", "basic"),
        ignore_case=True,
        prefilter=("bearer", "basic"),
        example="sent with bearer 9f8e7d6c5b4a3928 and refused",
        counterexample="basic authentication failed",
    ),
    TextPattern(
        name="JSON Web Token",
        regex=re.compile(rf"{_JWT}[\w-]*+(?:\.[\w-]*+)*+", re.ASCII),
        replacement=MASKED,
        hints=("eyJ",),
        prefilter=(f"(?-i:{_JWT})",),
        example="refused eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        counterexample="eyJects seven",
    ),
    TextPattern(
        name="key with its issuer's prefix",
        regex=re.compile(rf"{_WORD_START}(?=[\w.-]{{0,64}}?[0-9]){_ISSUED_KEY}[\w.-]*+", re.ASCII),
        replacement=MASKED,
        hints=("sk-", "k_", "gh", "glpat-", "xox", "rnd_", "whsec_", "AIza", "SG."),
        prefilter=(_in_json(_ISSUED_KEY),),
        example="pushed with ghp_a1B2c3D4e5F6a1B2c3D4e5F6",
        counterexample="sk-learn-pipeline-without-a-digit",
    ),
    TextPattern(
        name="AWS access key",
        regex=re.compile(rf"{_WORD_START}{_AWS_KEY}(?![0-9A-Z])", re.ASCII),
        replacement=MASKED,
        hints=("AKIA", "ASIA"),
        prefilter=(_in_json(_AWS_KEY),),
        example="refused AKIAIOSFODNN7EXAMPLE",
        counterexample="region ASIA is down",
    ),
    TextPattern(
        name="Twilio API key",
        regex=re.compile(rf"{_WORD_START}{_TWILIO_KEY}(?![0-9a-f])", re.ASCII),
        replacement=MASKED,
        hints=("SK",),
        prefilter=(_in_json(_TWILIO_KEY),),
        example="refused SK0123456789abcdef0123456789abcdef",
        counterexample="message SM0123456789abcdef0123456789abcdef failed: 30003",
    ),
    TextPattern(
        name="Twilio account",
        # The first digits say which account it is.
        regex=re.compile(rf"{_WORD_START}(AC[0-9a-f]{{2}})[0-9a-f]{{30}}(?![0-9a-f])", re.ASCII),
        replacement=rf"\1…{MASKED}",
        hints=("AC",),
        prefilter=(_in_json("AC[0-9a-f]{32}"),),
        example="account AC0123456789abcdef0123456789abcdef",
        counterexample="ACCOUNT AC01",
    ),
    TextPattern(
        name="card number",
        regex=re.compile(
            # The digit comes before the look behind it: the search then skips from digit to digit.
            r"[2-6](?<!\d\d)(?:\d{12,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}|(?<=3)\d{3}([ -])\d{6}\2\d{5})(?!\d)",
            re.ASCII,
        ),
        replacement=_mask_card,
        hints=(),
        min_length=13,
        prefilter=(
            r"(?:^|[^0-9])[2-6][0-9]{12}",
            r"(?:^|[^0-9])[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}",
            r"(?:^|[^0-9])3[0-9]{3}[ -][0-9]{6}[ -][0-9]{5}",
        ),
        example="card 4111-1111-1111-1111 declined",
        counterexample="order 4111111111111112 not found",
    ),
)  # fmt: skip


# Secrets under a name, in data

_NAME_PARTS = (
    "password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "authorization",
    "authtoken", "accesstoken", "cookie", "credential",
)  # fmt: skip
_NAME_END, _NAME_START, _WHOLE_NAMES, _LAST_WORD = "token", "session", ("pass", "auth"), "pass"
"""Letters of names under which secrets stand: anywhere, at the end, at the start, alone, after _ or -."""

_LAST_WORD_ENDINGS = (f"_{_LAST_WORD}", f"-{_LAST_WORD}")
_NON_WORD = re.compile(r"[^a-z0-9]", re.ASCII)


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name in data is a secret, whatever it looks like."""
    # Names repeat from event to event. Long ones are not kept, so that memory stays bounded.
    return _match_name_cached(name) if len(name) <= _MAX_CACHED_LENGTH else _match_name(name)


def _match_name(name: str) -> bool:
    lower = name.lower()
    letters = _NON_WORD.sub("", lower)
    return (
        any(part in letters for part in _NAME_PARTS)
        or letters.endswith(_NAME_END)
        or letters.startswith(_NAME_START)
        or letters in _WHOLE_NAMES
        or lower.endswith(_LAST_WORD_ENDINGS)
    )


_MAX_CACHED_LENGTH = 64
_match_name_cached = lru_cache(maxsize=4096)(_match_name)


# Names are compared by their letters alone, so between two letters stands anything else that JSON may hold.
_BETWEEN_LETTERS = r'(?:[^a-z0-9"\\]|\\.)*'
_NAME_REGEX = "|".join(
    _BETWEEN_LETTERS.join(part) for part in (*_NAME_PARTS, _NAME_END, _NAME_START, *_WHOLE_NAMES, _LAST_WORD)
)
_STRING_START = r'"(?:[^"\\]|\\.)*'
_STRING_REST = r'(?:[^"\\]|\\.)*"'

DATA_PATTERNS = (
    DataPattern(
        name="value under a secret's name",
        prefilter=(rf"(?:{_NAME_REGEX}){_STRING_REST}\s*:",),
        example='{"p.a-s s_w o r d": "hunter2"}',
        counterexample='{"passenger": "ann"}',
    ),
    DataPattern(
        name="header as a pair",
        prefilter=(rf"\[\s*{_STRING_START}(?:{_NAME_REGEX}){_STRING_REST}\s*,",),
        example='["X-Api-Key", "hunter2"]',
        counterexample='["Accept", "text/html"]',
    ),
    DataPattern(
        name="name and value as an object",
        prefilter=(rf'"(?:name|key)"\s*:\s*{_STRING_START}(?:{_NAME_REGEX})',),
        example='{"key": "DB_PASSWORD", "value": "hunter2"}',
        counterexample='{"key": "user", "value": "ann"}',
    ),
    DataPattern(
        name="number that is a card number when it is written out",
        prefilter=(r"[:,\[]\s*-?[0-9.]+e",),
        example="4.111111111111111e15",
        counterexample="4.1e3",
    ),
    DataPattern(
        name="number that is too long",
        prefilter=(rf"[:,\[]\s*-?[0-9]{{{_LONG_INT_DIGITS}}}",),
        example="1" + 4000 * "0",
        counterexample="1" + 30 * "0",
    ),
    DataPattern(
        name="number that JSON cannot hold",
        prefilter=("(?-i:NaN|Infinity)",),
        example="Infinity",
        counterexample="1.5",
    ),
)

HIDING_FORMS = (r"\\u", r"\\/", r"\xc4\xb0", r"\xe2\x84\xaa")
"""RE2 forms of what may hide any of the above: escapes, and letters that become ASCII ones in lower case."""
