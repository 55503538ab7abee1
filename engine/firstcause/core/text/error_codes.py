"""Makes error codes of the names that other systems give their errors."""

from __future__ import annotations

import re
import unicodedata

MAX_CODE_LENGTH = 120

WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a word begins within a name such as KubeAPIDown."""


def code_of(name: str) -> str | None:
    """Make a code of a name: KubeJobFailed -> KUBE_JOB_FAILED; None if it would be empty or too long."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    code = "_".join(re.findall(r"[A-Za-z0-9]+", WORD_BOUNDARY.sub("_", plain))).upper()
    if code[:1].isdigit():
        code = f"ALERT_{code}"
    return code if 0 < len(code) <= MAX_CODE_LENGTH else None
