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

from firstcause.core.privacy.prefilter import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from firstcause.core.model import Event, Source

MASKED = "[masked]"
_SHORTEST = 6
_DEEPEST = 50
_PASSES = 4
_NAME_LENGTH = 200
_CARD_DIGITS = 13
_LONGEST_INT_BITS = 10_000
_FLAGS = re.IGNORECASE | re.ASCII

_NAMES = (
    r"pass(?:word|wd|phrase)s?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"authorization|cookie|credentials?|session[_-]?(?:id|key)|(?<![A-Za-z])pass(?==)"
)
_STOP = r"""\s"'&;<>,)}\]"""
_BARE = rf"(?:\[masked\]|[^{_STOP}\\]++|\\(?![\"'])|[,)}}\]](?![{_STOP}]|\Z))++"
_SCHEME = r"(?:(?:Bearer|Basic|Digest|Token|ApiKey|Negotiate)[ \t]{1,3})?+"

_NAMED = re.compile(
    rf"(?P<name>(?:{_NAMES})(?:[_-][\w-]{{0,24}}+|(?-i:[A-Z])\w{{0,24}}+|\d{{1,3}})?+"
    r"(?:\\{0,3}[\"'])?+[ \t]{0,3}+(?:=>|:=|[:=]|>(?=[^\s<]))[ \t]{0,3}+(?:[bru](?=\\{0,7}[\"']))?+(?=[^\s]))"
    r"(?:(?P<escapes>\\{1,7}+)(?P<nested>[\"'])(?P<deep>[^\"'\n]*+)"
    r"|\"(?P<double>(?:[^\"\\\n]++|\\.)*+)(?P<end2>\"?)"
    r"|'(?P<single>(?:[^'\\\n]++|\\.)*+)(?P<end1>'?)"
    rf"|(?P<bare>{_SCHEME}{_BARE}(?:;[ \t]?[\w.-]{{1,64}}+=[^\s;\"',]{{0,4096}}+)*+))",
    _FLAGS,
)
_OPTION = re.compile(
    r"(--(?:[a-z0-9]{1,20}-){0,3}(?:password|passwd|secret|token|api-key|access-key|private-key)[ \t]{1,3})"
    rf"(?!-){_BARE}",
    _FLAGS,
)
_SCHEMED = re.compile(
    r"\b((?:Bearer|Basic)\s{1,3})(?=[\w.~+/=-]{0,400}?(?:[0-9=+/_]|(?-i:[a-z][A-Z])))[\w.~+/=-]{8,}+", _FLAGS
)
_IN_URL = re.compile(
    r"(://[^\s:/?#@\"'<>]{0,256}+:)(?!\d{1,5}(?:[/?#\s\"'<>,;)]|\Z))"
    r"[^\s\"'<>@]{1,256}+@(?:[^\s\"'<>@/?#]{0,256}+@)*+",
    re.ASCII,
)
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----[^-]*+(?:-(?!----)[^-]*+)*+"
    r"(?:-----END [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----)?+",
    re.ASCII,
)
_JWT = re.compile(r"eyJ[\w-]{10,}+(?:\.[\w-]*+)*+", re.ASCII)
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Z])|SK[0-9a-f]{32}(?![0-9a-f])"
    r"|(?=[\w.-]{0,64}?[0-9])(?:sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|rnd_|whsec_"
    r"|AIza|SG\.)[\w.-]{16,}+)",
    re.ASCII,
)
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])(AC[0-9a-f]{2})[0-9a-f]{30}(?![0-9a-f])", re.ASCII)
_CARD = re.compile(
    r"(?<!\d)(?:[2-6]\d{12,18}|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{4}|3\d{3}([ -])\d{6}\2\d{5})(?!\d)", re.ASCII
)
_ABSENT = frozenset({"", "null", "none", "nil", "undefined", "true", "false", "missing", "empty"})
_HINTS = ("pass", "pwd", "secret", "token", "key", "authorization", "cookie", "credential", "session")
_ISSUERS = ("AKIA", "ASIA", "SK", "sk-", "k_", "gh", "glpat-", "xox", "rnd_", "whsec_", "AIza", "SG.")

_SECRET_PARTS = (
    "password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "authorization",
    "authtoken", "accesstoken", "cookie", "credential",
)  # fmt: skip
_NOT_WORD = re.compile(r"[^a-z0-9]", re.ASCII)


class Mask:
    """Masks texts, JSON-like data and events; masking what is masked changes nothing.

    secrets: values that must not appear anywhere, as they are, in JSON or in a URL. Those shorter than
    6 characters are left alone: they would tear up ordinary text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {form for secret in secrets for form in _forms(secret.strip())}
        usable = (value for value in values if len(value) >= _SHORTEST and value not in MASKED)
        self._secrets = sorted(usable, key=lambda value: (-len(value), value))
        self._written = [value.encode("utf-8", "replace") for value in self._secrets]

    def harmless(self, document: bytes) -> bool:
        """Whether masking surely changes nothing in a JSON document, told by a look at its bytes."""
        return harmless(document, self._written)

    def text(self, text: str) -> str:
        """The text with every secret found in it replaced by "[masked]"."""
        for _ in range(_PASSES):
            # What one pattern leaves can complete another, so we go on until nothing changes.
            masked = _patterns(self.exact(text))
            if masked == text:
                break
            text = masked
        return text

    def exact(self, text: str) -> str:
        """The text without the given secrets only."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASKED)
        return text

    def data(self, value: Any) -> Any:
        """JSON-like data with secrets masked: by the name they stand under, or by their look.

        Never raises; what JSON cannot hold becomes text. None, booleans and "" under a secret's name stay:
        that a password is missing is often the cause looked for.
        """
        return self._data(value, 0)

    def event(self, event: Event) -> Event:
        """The event without secrets. Names (id, code, tenant, service) lose the exact ones only."""
        return event.model_copy(
            update={
                "id": self.exact(event.id),
                "message": self._maybe(event.message),
                "stack": self._maybe(event.stack),
                "details": self.data(event.details),
                "tags": self.data(event.tags),
                "source": self._source(event.source),
                "code": self._name(event.code),
                "tenant": self._name(event.tenant),
                "service": self._name(event.service),
            }
        )

    def _maybe(self, text: str | None) -> str | None:
        return None if text is None else self.text(text)

    def _name(self, name: str | None) -> str | None:
        return None if name is None else self.exact(name)[:_NAME_LENGTH]

    def _source(self, source: Source | None) -> Source | None:
        if source is None:
            return None
        names = ("file", "function", "query")
        return source.model_copy(update={name: self._maybe(getattr(source, name)) for name in names})

    def _data(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._nested(value, depth)
        return self.text(_shown(value))

    def _nested(self, value: Mapping[Any, Any] | Collection[Any], depth: int) -> Any:
        if depth >= _DEEPEST:
            return "[too deep]"
        return self._mapping(value, depth) if isinstance(value, Mapping) else self._list(list(value), depth)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        named = value.get("name", value.get("key"))
        pair = isinstance(named, str) and _is_secret_name(named)
        masked = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else _shown(key)
            secret = _is_secret_name(name) or (pair and name == "value")
            masked[self.text(name)] = _hidden(item) if secret else self._data(item, depth + 1)
        return masked

    def _list(self, value: Sequence[Any], depth: int) -> list[Any]:
        match value:
            case [str() as name, item] if _is_secret_name(name):  # a header as a pair
                return [name, _hidden(item)]
        return [self._data(item, depth + 1) for item in value]

    def _number(self, value: float) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, int) and value.bit_length() > _LONGEST_INT_BITS:
            return "[number too long]"
        shown = str(value)
        masked = self.text(shown) if len(shown) >= _SHORTEST else shown
        return value if masked == shown else masked


def _forms(secret: str) -> tuple[str, ...]:
    written = secret.encode("utf-8", "replace").decode()
    in_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return secret, *in_json, quote(written, safe=""), quote(written), quote_plus(written)


def _shown(value: object) -> str:
    try:
        return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return f"[unreadable {type(value).__name__}]"


def _hidden(value: object) -> object:
    return value if value is None or isinstance(value, bool) or value == "" else MASKED


def _is_secret_name(name: str) -> bool:
    lower = name.lower()
    plain = _NOT_WORD.sub("", lower)
    return (
        any(part in plain for part in _SECRET_PARTS)
        or plain.endswith("token")
        or plain.startswith("session")
        or plain in {"pass", "auth"}
        or lower.endswith(("_pass", "-pass"))
    )


def _patterns(text: str) -> str:
    lower = text.lower()
    if "PRIVATE KEY" in text:
        text = _PEM.sub(MASKED, text)
    if "://" in text and "@" in text:
        text = _IN_URL.sub(rf"\1{MASKED}@", text)
    if any(hint in lower for hint in _HINTS):
        text = _OPTION.sub(rf"\1{MASKED}", _NAMED.sub(_value_masked, text))
    if "bearer" in lower or "basic" in lower:
        text = _SCHEMED.sub(rf"\1{MASKED}", text)
    if "eyJ" in text:
        text = _JWT.sub(MASKED, text)
    if any(issuer in text for issuer in _ISSUERS):
        text = _ISSUED.sub(MASKED, text)
    if "AC" in text:
        text = _ACCOUNT.sub(rf"\1…{MASKED}", text)
    return _CARD.sub(_card_masked, text) if len(text) >= _CARD_DIGITS else text


def _value_masked(found: re.Match[str]) -> str:
    whole, name = found[0], found["name"]
    groups: Callable[[str], str | None] = found.group
    value = next(part for part in map(groups, ("deep", "double", "single", "bare")) if part is not None)
    if value.strip(" \\").lower() in _ABSENT:
        return whole
    if found["deep"] is not None:
        # The backslashes before the closing quote were taken with the value.
        closing = found["escapes"] if value.endswith("\\") else ""
        return f"{name}{found['escapes']}{found['nested']}{MASKED}{closing}"
    if found["double"] is not None:
        return f'{name}"{MASKED}{found["end2"]}'
    if found["single"] is not None:
        return f"{name}'{MASKED}{found['end1']}"
    return f"{name}{MASKED}"


def _card_masked(found: re.Match[str]) -> str:
    digits = [int(char) for char in found[0] if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - Luhn, ISO/IEC 7812-1
    return found[0] if (sum(doubled) + sum(digits[-1::-2])) % 10 else MASKED
