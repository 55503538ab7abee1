"""What the page draws as SVG: where things go. How they look is the style sheet's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

BOX_WIDTH, BOX_HEIGHT = 152, 54
_GAP_X, _GAP_Y, _MARGIN = 46, 16, 6
_MAX_LABEL_LENGTH = 17


@dataclass(frozen=True)
class Box:
    """One component. x, y: its upper left corner."""

    name: str
    label: str
    state: str
    codes: Sequence[str]
    events: int
    x: float
    y: float


@dataclass(frozen=True)
class Arrow:
    """From a cause to its effect. path: as SVG writes it."""

    cause: str
    effect: str
    observed: bool
    path: str


@dataclass(frozen=True)
class Graph:
    """Causes to the left, their effects to the right."""

    width: float
    height: float
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]


_STATE_ORDER = ("root", "cascade", "troubled", "healthy", "unknown")


def layout_graph(nodes: Iterable[Mapping[str, Any]], edges: Iterable[Mapping[str, Any]]) -> Graph:
    """Of a neighbourhood: nodes with name, state, layer, codes, events; edges with cause, effect, seen."""
    columns: dict[int, list[Mapping[str, Any]]] = {}
    for node in sorted(nodes, key=lambda node: (_STATE_ORDER.index(node["state"]), node["name"])):
        columns.setdefault(node["layer"], []).append(node)
    tallest = max((len(column) for column in columns.values()), default=0)
    height = tallest * (BOX_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN
    boxes: dict[str, Box] = {}
    for column_index, layer in enumerate(sorted(columns)):
        column = columns[layer]
        column_height = len(column) * (BOX_HEIGHT + _GAP_Y) - _GAP_Y
        top = (height - column_height) / 2
        for row, node in enumerate(column):
            x, y = _MARGIN + column_index * (BOX_WIDTH + _GAP_X), top + row * (BOX_HEIGHT + _GAP_Y)
            label = _shorten_label(node["name"])
            boxes[node["name"]] = Box(node["name"], label, node["state"], node["codes"], node["events"], x, y)
    width = len(columns) * (BOX_WIDTH + _GAP_X) - _GAP_X + 2 * _MARGIN
    arrows = [
        _draw_arrow(boxes[edge["cause"]], boxes[edge["effect"]], observed=edge["seen"]) for edge in edges
    ]
    return Graph(max(width, 0), max(height, 0), list(boxes.values()), arrows)


def _shorten_label(name: str) -> str:
    return name if len(name) <= _MAX_LABEL_LENGTH else f"{name[: _MAX_LABEL_LENGTH - 1]}\u2026"


def _draw_arrow(cause: Box, effect: Box, *, observed: bool) -> Arrow:
    middle = BOX_HEIGHT / 2
    if cause.x == effect.x:
        x, bend = cause.x + BOX_WIDTH, cause.x + BOX_WIDTH + _GAP_X / 2
        path = f"M{x:g} {cause.y + middle:g}C{bend:g} {cause.y + middle:g} {bend:g} {effect.y + middle:g} "
        return Arrow(cause.name, effect.name, observed, f"{path}{x + 4:g} {effect.y + middle:g}")
    forward = cause.x < effect.x
    start = cause.x + (BOX_WIDTH if forward else 0)
    end = effect.x + (-4 if forward else BOX_WIDTH + 4)
    half = (start + end) / 2
    y, to = cause.y + middle, effect.y + middle
    return Arrow(
        cause.name, effect.name, observed, f"M{start:g} {y:g}C{half:g} {y:g} {half:g} {to:g} {end:g} {to:g}"
    )


SPARK_WIDTH, SPARK_HEIGHT = 120, 24


def sparkline_points(values: Sequence[float | None]) -> list[str]:
    """The points of its lines; where values are missing, a line ends."""
    present_values = [value for value in values if value is not None]
    if len(present_values) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    top, step = max(present_values) or 1.0, SPARK_WIDTH / (len(values) - 1)
    lines: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            y = SPARK_HEIGHT - 1 - value / top * (SPARK_HEIGHT - 2)
            lines[-1].append(f"{index * step:.1f},{y:.1f}")
    return [" ".join(line) for line in lines if len(line) > 1]


STRIP_WIDTH = 1000


@dataclass(frozen=True)
class Stretch:
    """A time of one status. x, width: of STRIP_WIDTH."""

    status: str
    x: float
    width: float
    start: datetime
    end: datetime


def layout_stretches(runs: Iterable[Mapping[str, Any]], since: datetime, until: datetime) -> list[Stretch]:
    """runs: status, start, end; drawn within that time."""
    duration_s = max((until - since).total_seconds(), 1.0)

    def scale_x(moment: datetime) -> float:
        return min(max((moment - since).total_seconds() / duration_s, 0.0), 1.0) * STRIP_WIDTH

    stretches = []
    for run in runs:
        start, end = scale_x(run["start"]), scale_x(run["end"])
        width = round(max(end - start, 2.0), 1)
        stretches.append(Stretch(run["status"], round(start, 1), width, run["start"], run["end"]))
    return stretches
