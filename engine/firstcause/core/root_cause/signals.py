"""Kinds of signal: what an alert is about, and how a fault shows at the components around it.

A full processor is a fault. Slow answers, errors and missing traffic are mostly what other components see
of a fault. Rule files (`signals:`) define which words mean which kind, and how each kind spreads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import Field, StringConstraints

from firstcause.core.model import Frozen
from firstcause.core.text.words import split_words

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Share = Annotated[float, Field(ge=0, le=1)]

Matcher = Callable[[str], str | None]
"""Maps the words of an alert to the name of its signal, None if no pattern matches."""


class Signal(Frozen):
    """One kind of signal.

    own, callers, callees, siblings: how often, as a share of 1, a fault shows as this signal at the faulty
        component, at those that call it, at those that it calls, and at those that share a caller with it.
    chance: how often, as a share of 1, the signal occurs without a fault nearby.
    match: patterns over an alert's code, title and message, with spaces for underscores. The first signal
        that matches counts; a signal without patterns takes the alerts that no other matches.
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
        """Whether components other than the faulty one show the signal: it is a symptom, not a cause."""
        return max(self.callers, self.callees, self.siblings) > 0


class Signals:
    """All kinds of signal, and their lookup by words. An alert without a kind is not evidence."""

    def __init__(self, signals: Iterable[Signal] = (), match: Matcher = lambda _text: None) -> None:
        self._by_name = {signal.name: signal for signal in signals}
        self._match = match
        self._fallback = next((signal for signal in self._by_name.values() if not signal.match), None)

    def get(self, name: str | None) -> Signal | None:
        return self._by_name.get(name) if name is not None else None

    def classify(self, *texts: str | None) -> Signal | None:
        """Return the signal of the first text that a pattern matches, else the one without patterns.

        texts: the alert's name first, then what describes it: a name says what it is about, a description
            mentions much else.
        """
        for text in texts:
            if text and (signal := self.get(self._match(split_words(text)))) is not None:
                return signal
        return self._fallback
