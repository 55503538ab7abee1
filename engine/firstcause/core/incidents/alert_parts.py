"""The parts of alerts as people read them: only the labels that tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from firstcause.core.model import Alert

_MAX_NAMED_PARTS = 10


def select_differing_labels(labels: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return for each part only the labels that are not the same in all parts, and all of a single part."""
    parts = list(labels)
    names = sorted({name for part in parts for name in part})
    shown = [name for name in names if len(parts) == 1 or len({part.get(name) for part in parts}) > 1]
    return [{name: part[name] for name in shown if name in part} for part in parts]


def format_labels(labels: Mapping[str, str]) -> str:
    """Format labels on one line: "instance db1:9100, severity critical"."""
    return ", ".join(f"{name} {value}" for name, value in labels.items()) or "without labels"


def describe_parts(alerts: Iterable[Alert]) -> Iterator[str]:
    """Describe the parts of each alert that has several, a line an alert."""
    for alert in alerts:
        parts = alert.parts
        total = len(parts.shown) + len(parts.folded)
        if total <= 1:
            continue
        labels = select_differing_labels(part.labels for part in parts.shown)
        named = [
            format_labels(label)
            for part, label in zip(parts.shown, labels, strict=True)
            if part.resolved_at is None
        ]
        further = parts.active_count - len(named[:_MAX_NAMED_PARTS])
        names = "; ".join(named[:_MAX_NAMED_PARTS]) + (f"; and {further} more" if further > 0 else "")
        active_count = parts.active_count if alert.active else 0
        state = f"{active_count} of {total} are active" + (f": {names}" if active_count and names else "")
        yield f"{alert.code}: {state}"
