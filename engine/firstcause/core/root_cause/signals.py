"""Kinds of signal: what an alert is about, and how a fault shows itself to those around it.

A processor that is full is a fault; slow answers, errors and missing traffic are mostly what others see
of one. Which words mean which kind, and how each spreads, stands in rule files (`signals:`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import Field, StringConstraints

from firstcause.core.model import Frozen

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Share = Annotated[float, Field(ge=0, le=1)]

Matcher = Callable[[str], str | None]
"""From the words of an alert to the name of its signal, None where none fits."""


class Signal(Frozen):
    """One kind of signal.

    own, callers, callees, siblings: how often a faulty component shows it itself, or one that calls it,
    that it calls, that is called by its callers; shares of 1. chance: how often it is seen without any
    fault near. match: patterns over an alert's code, title and message, with spaces for underscores; the
    first signal that fits counts, and one without patterns is what fits no other.
    """

    name: Name
    about: Text
    match: tuple[Text, ...] = ()
    own: Share = 0.0
    callers: Share = 0.0
    callees: Share = 0.0
    siblings: Share = 0.0
    chance: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @property
    def spreads(self) -> bool:
        """Whether others than the faulty component show it: it is a symptom, not a cause."""
        return max(self.callers, self.callees, self.siblings) > 0


class Signals:
    """All kinds of signal, and the lookup by words. Without a kind an alert is no evidence."""

    def __init__(self, signals: Iterable[Signal] = (), match: Matcher = lambda _text: None) -> None:
        self._by_name = {signal.name: signal for signal in signals}
        self._match = match
        self._fallback = next((signal for signal in self._by_name.values() if not signal.match), None)

    def get(self, name: str | None) -> Signal | None:
        return self._by_name.get(name) if name is not None else None

    def classify(self, words: str) -> Signal | None:
        return self.get(self._match(words.replace("_", " "))) or self._fallback
