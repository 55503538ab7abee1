"""Fingerprints as versions before made them, so that what they named goes on under the new ones.

What stands here never changes: it must give what such a version gave. Only errors without a code and without
an entry are grouped by anything that a later version may do better.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from firstcause.core.grouping.fingerprint import Occurrence

_VARIABLE_1 = re.compile(
    r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]+)*|\d+|\"[^\"]{0,200}\"|'[^']{0,200}'"
)


class LegacyFingerprint(NamedTuple):
    fault: str
    fingerprint: str


def legacy_fingerprint(occurrence: Occurrence) -> LegacyFingerprint | None:
    """What version 1 named it; None where that is what it is named still."""
    event = occurrence.event
    if occurrence.entry is not None or event.code is not None or event.drill:
        return None
    line = (event.message or "").strip().partition("\n")[0][:1000]
    fault = _digest_1("text", _VARIABLE_1.sub("*", line), event.service or "")
    return LegacyFingerprint(fault, _digest_1(fault, event.tenant or "", event.service or ""))


def _digest_1(*parts: str) -> str:
    text = "\x1f".join(("1", *parts))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()
