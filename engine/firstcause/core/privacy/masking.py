"""Takes secrets out of whatever senders give us, before it is stored, shown or sent.

Linear in the length of its input, whatever that is: every quantifier is bounded or possessive.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from firstcause.core.privacy.prefilter import surely_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from firstcause.core.model import Event, Source

MASKED = "[masked]"
_MIN_SECRET_LENGTH = 6
_MAX_DEPTH = 50
_MAX_PASSES = 4
_MAX_NAME_LENGTH = 200
_MIN_CARD_DIGITS = 13
_MAX_INT_BITS = 10_000
_REGEX_FLAGS = re.IGNORECASE | re.ASCII

_SECRET_WORDS = (
    r"pass(?:word|wd|phrase)s?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"authorization|cookie|credentials?|session[_-]?(?:id|key)|(?<![A-Za-z])pass(?==)"
)
_VALUE_END = r"""\s"'&;<>,)}\]"""
_BARE_VALUE = rf"(?:\[masked\]|[^{_VALUE_END}\\]++|\\(?![\"'])|[,)}}\]](?![{_VALUE_END}]|\Z))++"
_AUTH_SCHEME = r"(?:(?:Bearer|Basic|Digest|Token|ApiKey|Negotiate)[ \t]{1,3})?+"

_NAMED_SECRET = re.compile(
    rf"(?P<name>(?:{_SECRET_WORDS})(?:[_-][\w-]{{0,24}}+|(?-i:[A-Z])\w{{0,24}}+|\d{{1,3}})?+"
    r"(?:\\{0,3}[\"'])?+[ \t]{0,3}+(?:=>|:=|[:=]|>(?=[^\s<]))[ \t]{0,3}+(?:[bru](?=\\{0,7}[\"']))?+(?=[^\s]))"
    r"(?:(?P<escapes>\\{1,7}+)(?P<nested>[\"'])(?P<deep>[^\"'\n]*+)"
    r"|\"(?P<double>(?:[^\"\\\n]++|\\.)*+)(?P<end2>\"?)"
    r"|'(?P<single>(?:[^'\\\n]++|\\.)*+)(?P<end1>'?)"
    rf"|(?P<bare>{_AUTH_SCHEME}{_BARE_VALUE}(?:;[ \t]?[\w.-]{{1,64}}+=[^\s;\"',]{{0,4096}}+)*+))",
    _REGEX_FLAGS,
)
_OPTION_SECRET = re.compile(
    r"(--(?:[a-z0-9]{1,20}-){0,3}(?:password|passwd|secret|token|api-key|access-key|private-key)[ \t]{1,3})"
    rf"(?!-){_BARE_VALUE}",
    _REGEX_FLAGS,
)
_SCHEME_SECRET = re.compile(
    r"\b((?:Bearer|Basic)\s{1,3})(?=[\w.~+/=-]{0,400}?(?:[0-9=+/_]|(?-i:[a-z][A-Z])))[\w.~+/=-]{8,}+",
    _REGEX_FLAGS,
)
_URL_PASSWORD = re.compile(
    r"(://[^\s:/?#@\"'<>]{0,256}+:)(?!\d{1,5}(?:[/?#\s\"'<>,;)]|\Z))"
    r"[^\s\"'<>@]{1,256}+@(?:[^\s\"'<>@/?#]{0,256}+@)*+",
    re.ASCII,
)
_PEM_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----[^-]*+(?:-(?!----)[^-]*+)*+"
    r"(?:-----END [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----)?+",
    re.ASCII,
)
_JWT_TOKEN = re.compile(r"eyJ[\w-]{10,}+(?:\.[\w-]*+)*+", re.ASCII)
_ISSUED_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Z])|SK[0-9a-f]{32}(?![0-9a-f])"
    r"|(?=[\w.-]{0,64}?[0-9])(?:sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|rnd_|whsec_"
    r"|AIza|SG\.)[\w.-]{16,}+)",
    re.ASCII,
)
_ACCOUNT_ID = re.compile(r"(?<![A-Za-z0-9])(AC[0-9a-f]{2})[0-9a-f]{30}(?![0-9a-f])", re.ASCII)
_CARD_NUMBER = re.compile(
    r"(?<!\d)(?:[2-6]\d{12,18}|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{4}|3\d{3}([ -])\d{6}\2\d{5})(?!\d)", re.ASCII
)
_ABSENT_VALUES = frozenset({"", "null", "none", "nil", "undefined", "true", "false", "missing", "empty"})
_NAME_HINTS = ("pass", "pwd", "secret", "token", "key", "authorization", "cookie", "credential", "session")
_KEY_PREFIXES = ("AKIA", "ASIA", "SK", "sk-", "k_", "gh", "glpat-", "xox", "rnd_", "whsec_", "AIza", "SG.")

_SECRET_PARTS = (
    "password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "authorization",
    "authtoken", "accesstoken", "cookie", "credential",
)  # fmt: skip
_NON_WORD = re.compile(r"[^a-z0-9]", re.ASCII)


class Mask:
    """Masks texts, JSON-like data and events; masking what is masked changes nothing.

    secrets: values that must not appear anywhere, as they are, in JSON or in a URL. Those shorter than
    6 characters are left alone: they would tear up ordinary text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {form for secret in secrets for form in _encode_forms(secret.strip())}
        usable = (value for value in values if len(value) >= _MIN_SECRET_LENGTH and value not in MASKED)
        self._secrets = sorted(usable, key=lambda value: (-len(value), value))
        self._secret_bytes = [value.encode("utf-8", "replace") for value in self._secrets]

    def surely_clean(self, document: bytes) -> bool:
        """Whether masking surely changes nothing in a JSON document, told by a look at its bytes."""
        return surely_clean(document, self._secret_bytes)

    def mask_text(self, text: str) -> str:
        """The text with every secret found in it replaced by "[masked]"."""
        for _ in range(_MAX_PASSES):
            # What one pattern leaves can complete another, so we go on until nothing changes.
            masked = _mask_patterns(self.mask_exact(text))
            if masked == text:
                break
            text = masked
        return text

    def mask_exact(self, text: str) -> str:
        """The text without the given secrets only."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASKED)
        return text

    def mask_data(self, value: Any) -> Any:
        """JSON-like data with secrets masked: by the name they stand under, or by their look.

        Never raises; what JSON cannot hold becomes text. None, booleans and "" under a secret's name stay:
        that a password is missing is often the cause looked for.
        """
        return self._mask_value(value, 0)

    def mask_event(self, event: Event) -> Event:
        """The event without secrets. Names (id, code, tenant, service) lose the exact ones only."""
        return event.model_copy(
            update={
                "id": self.mask_exact(event.id),
                "message": self._mask_optional(event.message),
                "stack": self._mask_optional(event.stack),
                "details": self.mask_data(event.details),
                "tags": self.mask_data(event.tags),
                "source": self._mask_source(event.source),
                "code": self._mask_name(event.code),
                "tenant": self._mask_name(event.tenant),
                "service": self._mask_name(event.service),
            }
        )

    def _mask_optional(self, text: str | None) -> str | None:
        return None if text is None else self.mask_text(text)

    def _mask_name(self, name: str | None) -> str | None:
        return None if name is None else self.mask_exact(name)[:_MAX_NAME_LENGTH]

    def _mask_source(self, source: Source | None) -> Source | None:
        if source is None:
            return None
        names = ("file", "function", "query")
        return source.model_copy(update={name: self._mask_optional(getattr(source, name)) for name in names})

    def _mask_value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.mask_text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._mask_number(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._mask_nested(value, depth)
        return self.mask_text(_to_text(value))

    def _mask_nested(self, value: Mapping[Any, Any] | Collection[Any], depth: int) -> Any:
        if depth >= _MAX_DEPTH:
            return "[too deep]"
        return (
            self._mask_mapping(value, depth)
            if isinstance(value, Mapping)
            else self._mask_sequence(list(value), depth)
        )

    def _mask_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        pair_name = value.get("name", value.get("key"))
        is_secret_pair = isinstance(pair_name, str) and _is_secret_name(pair_name)
        masked = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else _to_text(key)
            is_secret = _is_secret_name(name) or (is_secret_pair and name == "value")
            masked[self.mask_text(name)] = (
                _hide_value(item) if is_secret else self._mask_value(item, depth + 1)
            )
        return masked

    def _mask_sequence(self, value: Sequence[Any], depth: int) -> list[Any]:
        match value:
            case [str() as name, item] if _is_secret_name(name):  # a header as a pair
                return [name, _hide_value(item)]
        return [self._mask_value(item, depth + 1) for item in value]

    def _mask_number(self, value: float) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
            return "[number too long]"
        text = str(value)
        masked = self.mask_text(text) if len(text) >= _MIN_SECRET_LENGTH else text
        return value if masked == text else masked


def _encode_forms(secret: str) -> tuple[str, ...]:
    encodable = secret.encode("utf-8", "replace").decode()
    in_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return secret, *in_json, quote(encodable, safe=""), quote(encodable), quote_plus(encodable)


def _to_text(value: object) -> str:
    try:
        return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return f"[unreadable {type(value).__name__}]"


def _hide_value(value: object) -> object:
    return value if value is None or isinstance(value, bool) or value == "" else MASKED


def _is_secret_name(name: str) -> bool:
    lower = name.lower()
    letters = _NON_WORD.sub("", lower)
    return (
        any(part in letters for part in _SECRET_PARTS)
        or letters.endswith("token")
        or letters.startswith("session")
        or letters in {"pass", "auth"}
        or lower.endswith(("_pass", "-pass"))
    )


def _mask_patterns(text: str) -> str:
    lower = text.lower()
    if "PRIVATE KEY" in text:
        text = _PEM_KEY.sub(MASKED, text)
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\1{MASKED}@", text)
    if any(hint in lower for hint in _NAME_HINTS):
        text = _OPTION_SECRET.sub(rf"\1{MASKED}", _NAMED_SECRET.sub(_mask_named_secret, text))
    if "bearer" in lower or "basic" in lower:
        text = _SCHEME_SECRET.sub(rf"\1{MASKED}", text)
    if "eyJ" in text:
        text = _JWT_TOKEN.sub(MASKED, text)
    if any(issuer in text for issuer in _KEY_PREFIXES):
        text = _ISSUED_KEY.sub(MASKED, text)
    if "AC" in text:
        text = _ACCOUNT_ID.sub(rf"\1…{MASKED}", text)
    return _CARD_NUMBER.sub(_mask_card, text) if len(text) >= _MIN_CARD_DIGITS else text


def _mask_named_secret(match: re.Match[str]) -> str:
    matched, name = match[0], match["name"]
    groups: Callable[[str], str | None] = match.group
    value = next(part for part in map(groups, ("deep", "double", "single", "bare")) if part is not None)
    if value.strip(" \\").lower() in _ABSENT_VALUES:
        return matched
    if match["deep"] is not None:
        # The backslashes before the closing quote were taken with the value.
        closing = match["escapes"] if value.endswith("\\") else ""
        return f"{name}{match['escapes']}{match['nested']}{MASKED}{closing}"
    if match["double"] is not None:
        return f'{name}"{MASKED}{match["end2"]}'
    if match["single"] is not None:
        return f"{name}'{MASKED}{match['end1']}"
    return f"{name}{MASKED}"


def _mask_card(match: re.Match[str]) -> str:
    digits = [int(char) for char in match[0] if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - Luhn, ISO/IEC 7812-1
    return match[0] if (sum(doubled) + sum(digits[-1::-2])) % 10 else MASKED
