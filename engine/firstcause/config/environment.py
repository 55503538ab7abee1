"""Variables of the environment that nobody reads: a misspelt setting must not be ignored without a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.text.spelling import suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ENV_PREFIX = "FIRSTCAUSE_"

_READ_ELSEWHERE = frozenset(
    {"CONFIG", "URL", "TOKEN", "TOKEN_FILE", "SERVICE", "TENANT", "ENVIRONMENT", "RELEASE", "SPOOL"}
)
"""By `load`, and by the client in the applications that report errors."""

_FOREIGN_VARIABLE = re.compile(
    # The command line's own options, our tests, and what Kubernetes sets for a service named firstcause.
    r"(?:CLI|TEST|SOAK|BENCHMARK)_.*|(?:.*_)?SERVICE_(?:HOST|PORT(?:_.*)?)|(?:[^_]+_)*PORT(?:_.*)?"
)


def find_unknown_variables(names: Iterable[str], sections: Collection[str]) -> list[str]:
    """List the variables with our prefix that nobody reads, with the fix. sections: of config.toml."""
    return [
        f"the environment: {variable} is unknown{_suggest_name(name, sections)}"
        for variable in sorted(names)
        if (name := variable.upper().removeprefix(ENV_PREFIX)) != variable.upper()
        and not _is_known(name, sections)
    ]


def _is_known(name: str, sections: Collection[str]) -> bool:
    section, separator, _ = name.partition("__")
    if section.lower() in sections and (separator or section == name):
        return True
    return name in _READ_ELSEWHERE or ("__" not in name and bool(_FOREIGN_VARIABLE.fullmatch(name)))


def _suggest_name(name: str, sections: Collection[str]) -> str:
    section, separator, key = name.partition("__")
    if separator:
        return suggest_nearest(section, [known.upper() for known in sections], f"{ENV_PREFIX}{{}}__{key}")
    for known in sections:
        if name.startswith(f"{known.upper()}_"):
            return f"; did you mean {ENV_PREFIX}{known.upper()}__{name.removeprefix(f'{known.upper()}_')}?"
    return suggest_nearest(name, _READ_ELSEWHERE, f"{ENV_PREFIX}{{}}") or (
        f"; settings are {ENV_PREFIX}SECTION__KEY, see config.toml of `firstcause init`"
    )
