"""Figures of the benchmarks: numbers with an anchor and a bar, shown as one table or as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = ("what", "figure", "anchor", "ratio", "bar", "")

Verdict = Literal["met", "missed", "no bar", "no anchor"]

_KEY = "figure"


@dataclass(frozen=True)
class Anchor:
    """What was measured beside it in the same run. value: in the figure's unit; None: not installed."""

    name: str
    value: int | float | None


@dataclass(frozen=True)
class Bar:
    """What a figure, or its ratio to the anchor, is to reach. limit: in the figure's unit, or times."""

    side: Literal[">=", "<="]
    limit: float
    of: Literal["figure", "ratio"] = "figure"

    def met_by(self, value: float) -> bool:
        return value >= self.limit if self.side == ">=" else value <= self.limit


def at_least(limit: float) -> Bar:
    return Bar(">=", limit)


def at_most(limit: float) -> Bar:
    return Bar("<=", limit)


def at_least_times(limit: float) -> Bar:
    return Bar(">=", limit, "ratio")


def at_most_times(limit: float) -> Bar:
    return Bar("<=", limit, "ratio")


@dataclass(frozen=True)
class Figure:
    """One number that was measured. what: the same in every run, so that runs can be compared."""

    what: str
    value: int | float
    unit: str = ""
    anchor: Anchor | None = None
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the anchor it is."""
        return self.value / self.anchor.value if self.anchor is not None and self.anchor.value else None

    @property
    def verdict(self) -> Verdict:
        if self.bar is None:
            return "no bar"
        value = self.value if self.bar.of == "figure" else self.ratio
        if value is None:
            return "no anchor"
        return "met" if self.bar.met_by(value) else "missed"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: its fields, `ratio` and `verdict`."""
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}

    def cells(self) -> tuple[str, ...]:
        """As the table has it, below HEAD."""
        ratio = "-" if self.ratio is None else format_number(self.ratio)
        return (
            self.what,
            self._format_with_unit(self.value),
            self._format_anchor(),
            ratio,
            self._format_bar(),
            self.verdict,
        )

    def _format_anchor(self) -> str:
        if self.anchor is None:
            return "-"
        value = "not installed" if self.anchor.value is None else self._format_with_unit(self.anchor.value)
        return f"{self.anchor.name} {value}"

    def _format_bar(self) -> str:
        if self.bar is None:
            return "-"
        unit = self.unit if self.bar.of == "figure" else "x"
        return f"{self.bar.side} {self.bar.limit:,.10g} {unit}".rstrip()

    def _format_with_unit(self, value: float) -> str:
        return f"{format_number(value)} {self.unit}".rstrip()


_FIGURE = TypeAdapter(Figure)


class Recorder:
    """Takes a test's figures. kept: the properties that its report carries, also between processes."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def __call__(
        self, what: str, value: float, unit: str = "", *, anchor: Anchor | None = None, bar: Bar | None = None
    ) -> None:
        self._properties.append((_KEY, asdict(Figure(what, value, unit, anchor, bar))))


def load_figures(properties: Iterable[tuple[str, object]]) -> list[Figure]:
    """The figures in the properties of a test's report."""
    return [_FIGURE.validate_python(value) for name, value in properties if name == _KEY]


def format_number(value: float) -> str:
    """Counts as they are, measures with three digits at least."""
    if isinstance(value, int) or not value:
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def format_table(figures: Iterable[Figure]) -> list[str]:
    """Its lines."""
    rows = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
