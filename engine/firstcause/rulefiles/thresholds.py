"""Named thresholds: a rule file defines them, rules use `$thresholds.name`, a site may set its own values."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from firstcause.core.text.spelling import suggest_nearest
from firstcause.errors import Mistake
from firstcause.rulefiles.yaml_reader import resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.inference.language import Literal
    from firstcause.rulefiles.rule_file import RuleSource
    from firstcause.rulefiles.yaml_reader import YamlPath

    ThresholdValue = Literal | tuple[Literal, ...]

THRESHOLDS_NAME = "thresholds"
"""The name before the dot; no fact of a rule may have it."""

SITE_SETTING = "[rules] thresholds"
"""The place of a site's own values, for messages."""

_WHOLE_REFERENCE = re.compile(rf"\${THRESHOLDS_NAME}\.(\w+)")
_EMBEDDED_REFERENCE = re.compile(rf"\{{{THRESHOLDS_NAME}\.(\w+)\}}")


def collect_thresholds(
    sources: Sequence[RuleSource], site: Mapping[str, ThresholdValue], *, complete: bool
) -> tuple[dict[str, ThresholdValue], list[Mistake]]:
    """Collect all thresholds by name, with the site's values over those of the files, and all mistakes.

    complete: whether the sources are all files. If so, a site's value for an unknown threshold is a mistake;
    if not, the value is left out.
    """
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    locations: dict[str, str] = {}
    for source in sources:
        for name, value in (source.header.thresholds if source.header else {}).items():
            if name in values:
                text = f"the threshold '{name}' is already used at {locations[name]}; rename or remove one"
                mistakes.append(source.build_mistake((THRESHOLDS_NAME, name), text, key=True))
            else:
                values[name] = value
                line, _column = source.document.get_key_position((THRESHOLDS_NAME, name))
                locations[name] = f"{source.path}:{line}"
    for name, site_value in site.items():
        if name not in values and not complete:
            continue
        value = _parse_site_value(site_value, values.get(name))
        if problem := _describe_mismatch(name, value, values):
            mistakes.append(Mistake(SITE_SETTING, 0, 0, problem))
        else:
            values[name] = value
    return values, mistakes


def _parse_site_value(value: ThresholdValue, default: ThresholdValue | None) -> ThresholdValue:
    """Read a site's value; text from the environment is a number where the default is one."""
    if isinstance(value, str) and not isinstance(default, str):
        with suppress(ValueError):
            parsed = resolve_scalar(value)
            return value if parsed is None else parsed
    return value


def _describe_mismatch(name: str, value: ThresholdValue, values: Mapping[str, ThresholdValue]) -> str | None:
    if name not in values:
        hint = f"; there are {', '.join(sorted(values)) or 'none'}"
        return f"no rule file has a threshold '{name}'{suggest_nearest(name, values) or hint}"
    expected_type, actual_type = _describe_type(values[name]), _describe_type(value)
    return (
        None
        if expected_type == actual_type
        else f"'{name}' is {expected_type}, not {actual_type}; give {expected_type}"
    )


def _describe_type(value: ThresholdValue) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
    return "a list"


def fill_thresholds(
    part: Any, values: Mapping[str, ThresholdValue]
) -> tuple[Any, list[tuple[YamlPath, str]]]:
    """Replace the names in a rule as written by their values; also return each unknown name."""
    problems: list[tuple[YamlPath, str]] = []
    return _fill_part(part, values, (), problems), problems


def _fill_part(
    part: Any, values: Mapping[str, ThresholdValue], path: YamlPath, problems: list[tuple[YamlPath, str]]
) -> Any:
    match part:
        case dict():
            return {key: _fill_part(value, values, (*path, key), problems) for key, value in part.items()}
        case list():
            return [_fill_part(value, values, (*path, index), problems) for index, value in enumerate(part)]
        case str():
            problems += [
                (path, _format_unknown_threshold(name, values))
                for name in _iter_names(part)
                if name not in values
            ]
            reference = _WHOLE_REFERENCE.fullmatch(part)
            if reference and reference[1] in values:
                value = values[reference[1]]
                return list(value) if isinstance(value, tuple) else value
            return _EMBEDDED_REFERENCE.sub(
                lambda embedded: _format_value(values.get(embedded[1], embedded[0])), part
            )
    return part


def _iter_names(text: str) -> Iterator[str]:
    if reference := _WHOLE_REFERENCE.fullmatch(text):
        yield reference[1]
    yield from _EMBEDDED_REFERENCE.findall(text)


def _format_unknown_threshold(name: str, values: Mapping[str, ThresholdValue]) -> str:
    hint = suggest_nearest(name, values) or f"; add it to `{THRESHOLDS_NAME}:` of this file"
    return f"no rule file has a threshold '{name}'{hint}"


def _format_value(value: ThresholdValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ", ".join(map(_format_value, value))
