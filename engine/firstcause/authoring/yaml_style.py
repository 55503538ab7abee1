"""Formats plain values by ruamel.yaml, in the style of the shipped rule files."""

from __future__ import annotations

import io
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import yaml

from firstcause.rulefiles.yaml_reader import LOADER, resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_LINE_WIDTH = 1 << 20
_MAX_INLINE_LIST_LENGTH = 90
_PATTERN_KEY = "match"

Style = tuple[int, int, int]
"""Indentation of mappings, list items and their dashes, as ruamel.yaml counts."""
DEFAULT_STYLE: Style = (2, 4, 2)


def format_entry(entry: Mapping[str, Any]) -> str:
    """Format an entry as a list item to paste under `catalog:`."""
    return dump_yaml({"catalog": [apply_style(entry)]}, DEFAULT_STYLE).partition("\n")[2]


def create_yaml(style: Style) -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _MAX_LINE_WIDTH
    mapping, sequence, offset = style
    yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
    return yaml


def dump_yaml(value: Any, style: Style) -> str:
    stream = io.StringIO()
    create_yaml(style).dump(value, stream)
    return stream.getvalue()


def apply_style(value: Any, key: str = "", *, inline: bool = False) -> Any:
    """Style a plain value as in the shipped files. key: the key of the value. inline: whether in brackets."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415

    if isinstance(value, str):
        return _style_text(str(value), key, inline=inline)
    if not isinstance(value, dict | MappingProxyType | list | tuple):
        return value
    if isinstance(value, list | tuple):
        inline = inline or _is_short(value)
        node: Any = CommentedSeq([apply_style(part, key, inline=inline) for part in value])
    else:
        inline = inline or key in {"event", "expect"} or "event" in value
        node = CommentedMap((name, apply_style(part, name, inline=inline)) for name, part in value.items())
    if inline:
        node.fa.set_flow_style()
    return node


def _style_text(text: str, key: str, *, inline: bool) -> Any:
    from ruamel.yaml.scalarstring import (  # noqa: PLC0415
        DoubleQuotedScalarString,
        LiteralScalarString,
        SingleQuotedScalarString,
    )

    is_multiline = "\n" in text and text == text.strip() and text.replace("\n", "").isprintable()
    if is_multiline and not inline:
        return LiteralScalarString(text)
    if key == _PATTERN_KEY and text.isprintable():
        return SingleQuotedScalarString(text)
    return text if _needs_no_quotes(text, inline=inline) else DoubleQuotedScalarString(text)


def _is_short(value: Sequence[Any]) -> bool:
    all_names = all(isinstance(part, str) and part.replace("_", "").isalnum() for part in value)
    return all_names and len(", ".join(value)) <= _MAX_INLINE_LIST_LENGTH


def _needs_no_quotes(text: str, *, inline: bool) -> bool:
    """Return whether the text is read back unchanged.

    Ruamel.yaml omits more quotes than the reader accepts.
    """
    try:
        events = list(yaml.parse(f"[{text}]" if inline else f"key: {text}", Loader=LOADER))
        texts = [event.value for event in events if isinstance(event, yaml.ScalarEvent) and not event.style]
        return texts == ([text] if inline else ["key", text]) and isinstance(resolve_scalar(text), str)
    except (yaml.YAMLError, ValueError):
        return False


def to_plain(value: Any) -> Any:
    """Return the value as it is read back from a file."""
    if isinstance(value, dict | MappingProxyType):
        return {key: to_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    return str(value) if isinstance(value, str) else value
