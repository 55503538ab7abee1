"""Named thresholds: rule files give them once, rules say `$thresholds.name`, a site sets its own values."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from firstcause.errors import Mistake
from firstcause.rulefiles.validation_messages import nearest
from firstcause.rulefiles.yaml_reader import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.inference.language import Literal
    from firstcause.rulefiles.rule_file import Source
    from firstcause.rulefiles.yaml_reader import Path

    Value = Literal | tuple[Literal, ...]

NAME = "thresholds"
"""What stands before the dot; no fact of a rule may have this name."""

SITE = "[rules] thresholds"
"""Where a site's own values are, for messages."""

_WHOLE = re.compile(rf"\${NAME}\.(\w+)")
_WITHIN = re.compile(rf"\{{{NAME}\.(\w+)\}}")


def gather(
    sources: Sequence[Source], site: Mapping[str, Value], *, whole: bool
) -> tuple[dict[str, Value], list[Mistake]]:
    """All thresholds by name, the site's values over those of the files; and what is wrong with them.

    whole: a value of the site for a threshold that no file names is wrong, else left out.
    """
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    places: dict[str, str] = {}
    for source in sources:
        for name, value in (source.head.thresholds if source.head else {}).items():
            if name in values:
                text = f"the threshold '{name}' is taken, by {places[name]}; rename or remove one"
                mistakes.append(source.mistake((NAME, name), text, key=True))
            else:
                values[name] = value
                line, _column = source.document.key((NAME, name))
                places[name] = f"{source.path}:{line}"
    for name, given in site.items():
        if name not in values and not whole:
            continue
        value = _read(given, values.get(name))
        if wrong := _misfit(name, value, values):
            mistakes.append(Mistake(SITE, 0, 0, wrong))
        else:
            values[name] = value
    return values, mistakes


def _read(given: Value, ours: Value | None) -> Value:
    """What comes from the environment is all text; a number is meant where ours is one."""
    if isinstance(given, str) and not isinstance(ours, str):
        with suppress(ValueError):
            read = resolve(given)
            return given if read is None else read
    return given


def _misfit(name: str, value: Value, values: Mapping[str, Value]) -> str | None:
    if name not in values:
        known = f"; there are {', '.join(sorted(values)) or 'none'}"
        return f"no rule file has a threshold '{name}'{nearest(name, values) or known}"
    wanted, given = _sort(values[name]), _sort(value)
    return None if wanted == given else f"'{name}' is {wanted}, not {given}; give {wanted}"


def _sort(value: Value) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
    return "a list"


def filled(part: Any, values: Mapping[str, Value]) -> tuple[Any, list[tuple[Path, str]]]:
    """A rule as written, with the values in place of their names; and each name that there is not."""
    wrong: list[tuple[Path, str]] = []
    return _filled(part, values, (), wrong), wrong


def _filled(part: Any, values: Mapping[str, Value], path: Path, wrong: list[tuple[Path, str]]) -> Any:
    match part:
        case dict():
            return {key: _filled(value, values, (*path, key), wrong) for key, value in part.items()}
        case list():
            return [_filled(value, values, (*path, number), wrong) for number, value in enumerate(part)]
        case str():
            wrong += [(path, _unknown(name, values)) for name in _names(part) if name not in values]
            whole = _WHOLE.fullmatch(part)
            if whole and whole[1] in values:
                value = values[whole[1]]
                return list(value) if isinstance(value, tuple) else value
            return _WITHIN.sub(lambda found: _shown(values.get(found[1], found[0])), part)
    return part


def _names(text: str) -> Iterator[str]:
    if whole := _WHOLE.fullmatch(text):
        yield whole[1]
    yield from _WITHIN.findall(text)


def _unknown(name: str, values: Mapping[str, Value]) -> str:
    mend = nearest(name, values) or f"; add it to `{NAME}:` of this file"
    return f"no rule file has a threshold '{name}'{mend}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ", ".join(map(_shown, value))
