"""Tells a secret from what else stands after its name: nothing, a placeholder, a message, or code."""

from __future__ import annotations

import re
from itertools import pairwise

from firstcause.core.privacy.names import is_secret_name
from firstcause.core.privacy.pattern_types import split_words

_ABSENT_VALUES = split_words(
    "null none nil undefined true false missing empty unset absent blank no yes na n/a not-set notset "
    "default nan redacted filtered hidden removed masked secret-redacted <nil> (nil) (null) (none) "
    "(empty) str string int integer bool boolean bytes any object number text optional char varchar "
    "buffer uuid secretstr secretbytes same-origin include omit"
)
"""Values that say that there is none, or of which type it is."""

_METHOD_WORDS = split_words(
    "simple kerberos ntlm digest oauth oauth2 oidc ldap saml sasl plain pam basic bearer mtls negotiate"
)
"""How somebody is authenticated; a secret may follow such a word."""

_STATUS_WORDS = split_words(
    "not must required require requires missing invalid expired denied failed failure cannot can't unable "
    "unknown unauthorized unauthorised unauthenticated forbidden rejected revoked refused incorrect wrong "
    "bad empty unset undefined absent blank mismatch mismatched mismatches malformed unsupported "
    "unexpected expected unavailable exceeded too already never only should may cannot could couldn't "
    "doesn't does didn't isn't wasn't don't won't error exception warning timeout timed disabled enabled "
    "changed rotated updated refreshed refreshing renewed renewing created deleted removed reset loaded "
    "loading reloaded found started starting stopped closed opened established verified verification "
    "validated validation valid ok okay accepted granted permitted permission permissions access used "
    "unused reused stale stolen leaked locked ended terminated invalidated issued sent received ignored "
    "skipped unchanged matched matches unreadable undecodable undecipherable deprecated please contains "
    "contain limit quota insufficient conflict duplicate exists lookup decoding parsing signature "
    "authentication authorization request response provided configured specified supplied given set "
    "blocked allowed redacted hidden masked filtered unresolved pending cached available unterminated "
    "length least most character characters digits letters minimum maximum weak strong weird short long "
    "future past"
)
"""Words of messages about secrets. A text with one of them between other words is a message."""

_FUNCTION_WORDS = split_words(
    "the a an this that these those your our their its is are was were be been has have had will would "
    "for of in on at to from by with without as if when while after before because and or but both either "
    "there it he she we you they all each every some any more less than then also just still yet see "
    "check use try got get no server client user"
)
"""Words that begin a message where no password does."""

_WORD = re.compile(
    r"[\"'(\[`]{0,2}[A-Za-z][A-Za-z_'/-]{0,40}[)\"'\].,:;!?`]{0,3}|\d{1,3}[.,:;%)]{0,2}|[-\u2013\u2014|]",
    re.ASCII,
)
_SOLE_WORD_ENDS = ".,:;!?\"'`()[]"
_PLACEHOLDERS = (
    r"\$\{[^{}]{1,80}\}|\$\([^()]{1,80}\)|\$[A-Z_][A-Z0-9_]{0,60}|\{\{.{0,80}\}\}|\$\{\{.{0,80}\}\}"
    r"|\{[a-z_.:!]{0,40}\}|\{\d{0,2}\}|%\(?\w{0,40}\)?[sdrvq]|%[A-Z_]{2,40}%|%\+?[vqsd]|<[A-Za-z_ .-]{1,40}>"
    r"|<[\w.]{1,60} object at 0x[0-9a-f]{1,16}>|\[[A-Za-z_ -]{1,40}\]|\((?:[a-z]+ ?){1,4}\)|[*•x.#_?-]{3,64}"
    r"|:[a-z_]{1,40}|\?|\$\d{1,2}|@[a-z_]{1,40}@|__[A-Z_]{1,40}__|\.{3}|…|[*•]{1,64}|[*•]{3,64}\w{1,4}"
    r"|\*{2}.{0,4}|your[_-][a-z_-]{1,40}|YOUR[_-][A-Z_-]{1,40}|(?:\\{1,31}u2022){1,64}"
)
_PLACEHOLDER = re.compile(_PLACEHOLDERS, re.ASCII | re.DOTALL)
_SCHEME = re.compile(r"(?:bearer|basic|token)[ ]{1,3}(?=[$<{%*\[])", re.ASCII | re.IGNORECASE)
_LEADING_PLACEHOLDER = re.compile(rf"(?:{_PLACEHOLDERS})(?=[\s,;\"')}}\]&\\.:]|\Z)", re.ASCII)
_CODE = re.compile(
    r"(?:await|new|async|lambda|function|self|this|os|process|env|environ|config|settings|request|req|args|kwargs"
    r"|options|opts|params|ctx|context|data|body|cfg|conf|super|cls|app|event|payload|form|headers|std|System"
    r"|credentials|secrets|vault|local|var|module)\b(?:\.[A-Za-z_]|\[|\(|->| [A-Za-z_]{2,40}[.(])"
    r"|[A-Za-z_][A-Za-z_.:]{0,60}\([^()\n]{0,200}\)"
    r"|[A-Za-z_][A-Za-z_.]{0,60}\[(?:\d{1,3}|[\"'][\w -]{1,40}[\"'])\]"
    r"|[A-Z][A-Za-z.]{0,40}\[[A-Za-z., |()=\d]{1,60}\]|[\w.]{0,60}(?:Error|Exception)\b",
    re.ASCII,
)
_IDENTIFIER = re.compile(
    r"[A-Za-z]{1,40}(?:_[A-Za-z]{1,40}){0,6}|[a-z]{1,30}(?:[A-Z][a-z]{1,30}){1,5}", re.ASCII
)
_MAX_PROSE_LENGTH = 300
_MIN_LENGTH_WITHOUT_LETTERS = 6
_NEXT_WORDS = 5
_MAX_COUNT_DIGITS = 3

_ESCAPED_CHAR = re.compile(r"\\{1,31}u[0-9a-f]{4}", re.ASCII | re.IGNORECASE)
_ORDINARY_NAME = re.compile(
    r"(?:[A-Za-z]+\d{0,4}|\d{1,4})(?:[-_./:@+]+(?:[A-Za-z]+\d{0,4}|\d{1,4}))*", re.ASCII
)
_LEAST_CHANGES = 0.35
"""Changes between kinds of characters, for each character: random ones have 0.6, names of classes 0.25."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

FIELD_NAMES = split_words(
    "user username login email name id host hostname port database db url uri key value type code phone "
    "address account tenant role region first_name last_name remember remember_me confirm mail nutzer"
)
"""Names of other fields that stand beside a secret's name in a list of names."""


def is_random(value: str) -> bool:
    """Whether letters and digits are mixed as in no word, no name such as `db-creds-v2`, and no UUID."""
    plain = _ESCAPED_CHAR.sub("", value)
    return (
        any(map(str.isdigit, plain))
        and any(map(str.isalpha, plain))
        and _ORDINARY_NAME.fullmatch(plain) is None
        and _UUID.fullmatch(plain) is None
    )


def is_strongly_random(value: str) -> bool:
    """Whether small letters, capitals and digits alternate all the time, as in a generated key."""
    kinds = ["d" if char.isdigit() else "U" if char.isupper() else "l" for char in value if char.isalnum()]
    changes = sum(first != second for first, second in pairwise(kinds))
    return {*kinds} == {"d", "U", "l"} and changes >= _LEAST_CHANGES * len(kinds)


def is_absent(value: str) -> bool:
    """Whether a value says that there is none, or stands for one that is filled in elsewhere."""
    plain = _SCHEME.sub("", value.strip(" \t\\"))
    if plain[-1:] in ("!", "?") and plain[:-1].lower() in _ABSENT_VALUES:  # a type, as in GraphQL
        return True
    return (
        plain.lower() in _ABSENT_VALUES
        or plain.lower() in _METHOD_WORDS
        or _PLACEHOLDER.fullmatch(plain) is not None
        or (len(plain) < _MIN_LENGTH_WITHOUT_LETTERS and not any(map(str.isalnum, plain)))
    )


def begins_absent(value: str) -> bool:
    """Whether the first word of a value says that there is none."""
    first = value.split(None, 1)[0]
    return is_absent(first) and first.lower() not in _METHOD_WORDS


def is_message(value: str) -> bool:
    """Whether a whole value is a message about a secret, such as "must not be empty"."""
    if len(value) > _MAX_PROSE_LENGTH:
        return False
    words = value.split()
    if not all(_WORD.fullmatch(word) for word in words):
        return False
    return any(word.strip(_SOLE_WORD_ENDS).lower() in _STATUS_WORDS for word in words)


def is_ordinary_value(value: str) -> bool:
    """Whether a value in quotation marks or in data stays, though a secret's name precedes."""
    return is_absent(value) or is_message(value)


def begins_message(sentence: str) -> bool:
    """Whether what follows `name: ` is a message and no secret. sentence: the rest of the line."""
    words = sentence[:_MAX_PROSE_LENGTH].split()
    if not words or not _WORD.fullmatch(words[0]):
        return False
    first = words[0].strip(_SOLE_WORD_ENDS).lower()
    if first.isdigit():
        return len(words) > 1 and words[1][:1].isalpha() and len(first) <= _MAX_COUNT_DIGITS
    if first in _STATUS_WORDS or first in _FUNCTION_WORDS:
        return True
    previous = words[0]
    for word in words[1:_NEXT_WORDS]:
        if previous[-1] in ",;" or not _WORD.fullmatch(word) or not word.strip(_SOLE_WORD_ENDS):
            return False
        if word.strip(_SOLE_WORD_ENDS).lower() in _STATUS_WORDS:
            return True
        previous = word
    return False


def is_status_word(value: str) -> bool:
    """Whether a single word tells of a secret's state, as in `token=expired`."""
    return value.strip(_SOLE_WORD_ENDS).lower() in _STATUS_WORDS


def begins_code(sentence: str) -> bool:
    """Whether what follows is an expression or a placeholder for the secret, as in `token = get_token()`."""
    return (_CODE.match(sentence) or _LEADING_PLACEHOLDER.match(sentence)) is not None


def is_secret_identifier(value: str) -> bool:
    """Whether a value is the name of a variable with a secret, as in `password=password`."""
    first, dot, rest = value.partition(".")
    if dot:
        return _IDENTIFIER.fullmatch(first + rest) is not None and is_secret_name(first)
    return _IDENTIFIER.fullmatch(value) is not None and (
        is_secret_name(value) or value.lower() in FIELD_NAMES
    )
