"""Whether masking could change anything in a JSON text, told by one look at its bytes.

Wrong on one side only: a text called harmless has nothing that `core.masking` touches, one that is not may
still have nothing. A test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_MEMORY_BYTES = 64 * 1024 * 1024

_SECRET_WORDS = (
    r"passwords?|passwds?|passphrases?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"authorization|cookie|credentials?|session[_-]?(?:id|key)"
)
_SECRET_NAME_PARTS = (
    "password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "authorization",
    "authtoken", "accesstoken", "cookie", "credential", "token", "session", "pass", "auth",
)  # fmt: skip
# Between the letters of a name that is looked at without its signs: anything else that a JSON text may hold.
_BETWEEN_LETTERS = r'(?:[^a-z0-9"\\]|\\.)*'
_NAME_REGEX = "|".join(_BETWEEN_LETTERS.join(part) for part in _SECRET_NAME_PARTS)
_STRING_REST = r'(?:[^"\\]|\\.)*"'
# Before it stands no letter and no digit; the n of a line's end is none.
_WORD_BOUNDARY = r"(?:^|[^A-Za-z0-9]|\\[bfnrt])"
_ISSUED_KEY = (
    r"(?:AKIA|ASIA)[0-9A-Z]{16}|SK[0-9a-f]{32}|AC[0-9a-f]{32}"
    r"|(?:sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|rnd_|whsec_|AIza|SG\.)[\w.-]{16}"
)
_CARD_NUMBER = (
    r"[2-6][0-9]{12}|[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{5}"
)

_SUSPICIOUS_PATTERNS = (
    # Escapes that may hide any of the below, and letters that become ASCII ones in lower case.
    r"\\u", r"\\/", r"\xc4\xb0", r"\xe2\x84\xaa",
    # A name and a value in a text; names in a JSON object, in a pair, in {"name": ..., "value": ...}.
    rf"(?:{_SECRET_WORDS})[\w-]{{0,26}}(?:[\"' ]|\\.|\\t){{0,20}}[=:>]",
    r"pass=",
    r"--?(?:password|passwd|secret|token|api-key|access-key|private-key)(?: |\\t)",
    rf"(?:{_NAME_REGEX}){_STRING_REST}\s*:",
    rf"\[\s*\"(?:[^\"\\]|\\.)*(?:{_NAME_REGEX}){_STRING_REST}\s*,",
    rf"\"(?:name|key)\"\s*:\s*\"(?:[^\"\\]|\\.)*(?:{_NAME_REGEX})",
    # What secrets look like.
    r"bearer|basic", r"://[^ \"]*@", r"PRIVATE KEY", r"(?-i:eyJ)[\w-]{10}",
    rf"{_WORD_BOUNDARY}(?-i:{_ISSUED_KEY})",
    # Card numbers, numbers that become one when written out, and numbers that are too long.
    rf"(?:^|[^0-9])(?:{_CARD_NUMBER})",
    r"[:,\[]\s*-?[0-9.]+e", r"[:,\[]\s*-?[0-9]{400}", r"(?-i:NaN|Infinity)",
)  # fmt: skip


def _compile_patterns() -> re2._Regexp:
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MAX_MEMORY_BYTES
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(
        "|".join(f"(?:{pattern})" for pattern in _SUSPICIOUS_PATTERNS).encode("latin-1"), options
    )


_suspicious = _compile_patterns()


def surely_clean(text: bytes, secrets: Sequence[bytes]) -> bool:
    """text: JSON in UTF-8. secrets: as `Mask` looks for them, each in all its forms."""
    return _suspicious.search(text) is None and not any(secret in text for secret in secrets)
