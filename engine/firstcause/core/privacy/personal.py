"""Personal data that is masked where the configuration asks for it: card numbers, IBANs, mail addresses."""

from __future__ import annotations

import re
from enum import StrEnum

from firstcause.core.privacy.pattern_types import MASKED, TextPattern, substitute


class PersonalData(StrEnum):
    """A kind of personal data, as `[privacy] mask` names it."""

    CARDS = "cards"
    IBANS = "ibans"
    EMAILS = "emails"


_LUHN_MAX_DIGIT = 9
_CONTEXT_LENGTH = 32
_CAMEL_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
# What a number names or counts. After such a word a card number is one by accident: one number in ten is.
_IDENTIFIER_WORD = re.compile(
    r"(?:^|[^a-z])(?:ids?|uid|trace|span|request|order|job|transaction|tx|txn|message|event|batch|snowflake"
    r"|sequence|seq|offset|lsn|block|page|row|line|xid|pid|epoch|ts|time|timestamp|nanos|bytes|version|serial|sku|ean|isbn|imei"
    r"|phone|tel)[\"'\\#]{0,8}[ \t]{0,3}(?:[:=#/]|is)?[ \t]{0,3}[\"'\\#]{0,8}$",
    re.ASCII | re.IGNORECASE,
)


def is_identifier_name(name: str) -> bool:
    """Whether a number after this name counts or names something and is therefore not a card."""
    return _IDENTIFIER_WORD.search(_CAMEL_WORD.sub("_", name[-_CONTEXT_LENGTH:])) is not None


def _mask_card(match: re.Match[str]) -> str:
    matched, start = match[0], match.start()
    digits = [int(char) for char in matched if char.isdigit()]
    doubled = [digit * 2 - _LUHN_MAX_DIGIT * (digit * 2 > _LUHN_MAX_DIGIT) for digit in digits[-2::-2]]
    if (sum(doubled) + sum(digits[-1::-2])) % 10:  # Luhn, ISO/IEC 7812-1
        return matched
    before = match.string[max(0, start - _CONTEXT_LENGTH) : start]
    return matched if matched.isdigit() and is_identifier_name(before) else MASKED


_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24,
    "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28,
    "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20,
    "LU": 20,
    "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters by country, from the SWIFT IBAN registry, release 96."""


def _mask_iban(match: re.Match[str]) -> str:
    matched = match[0]
    length = _IBAN_LENGTHS.get(matched[:2])
    if length is None:
        return matched
    taken, count = 0, 0
    while taken < len(matched) and count < length:
        count += matched[taken] != " "
        taken += 1
    letters = matched[:taken].replace(" ", "")
    rest = matched[taken:]
    if count < length or (rest and rest[0] != " "):
        return matched
    number = "".join(str(int(char, 36)) for char in letters[4:] + letters[:4])
    return MASKED + rest if int(number) % 97 == 1 else matched  # ISO 7064, MOD 97-10


# Visa, Mastercard, UnionPay and Discover, JCB, American Express, Diners: first digits and lengths.
_CARD = (
    r"(?<![\w.])(?<![0-9a-f]{8}-)(?<!_-)(?:(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6\d{3}|35\d\d)"
    r"(?:\d{12}|([ -])\d{4}\1\d{4}\1\d{4})|3[47]\d{13}|3[47]\d\d([ -])\d{6}\2\d{5}|3[068]\d{12})"
    r"(?!\w|[-.]\w)"
)

PERSONAL_PATTERNS = {
    PersonalData.CARDS: TextPattern(
        name="card number",
        mask=substitute(
            re.compile(_CARD, re.ASCII),
            _mask_card,
        ),
        prefilter=(
            r"(?:^|[^0-9])[2-6][0-9]{13,15}(?:[^0-9]|$)",
            r"(?:^|[^0-9])[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}",
            r"(?:^|[^0-9])3[0-9]{3}[ -][0-9]{6}[ -][0-9]{5}",
        ),
        example="card 4111-1111-1111-1111 declined",
        counterexample="order 4111111111111111 not found",
    ),
    PersonalData.IBANS: TextPattern(
        name="IBAN",
        mask=substitute(
            re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ ]?[A-Z0-9]){11,30}+(?![A-Za-z0-9])", re.ASCII),
            _mask_iban,
        ),
        prefilter=(r"(?-i:[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11})",),
        example="refund to DE89 3704 0044 0532 0130 00 failed",
        counterexample="refund to DE88 3704 0044 0532 0130 00 failed",
    ),
    PersonalData.EMAILS: TextPattern(
        name="mail address",
        mask=substitute(
            re.compile(
                r"(?<![\w.+%/-])[\w.+%-]{1,64}+@(?:[A-Za-z0-9-]{1,63}+\.){1,8}+[A-Za-z]{2,24}(?![\w-])",
                re.ASCII,
            ),
            MASKED,
        ),
        prefilter=("@",),
        example="mail to ann.lee+x@shop.example.com bounced",
        counterexample="image app@sha256 not found",
    ),
}  # fmt: skip
