"""Which entry a text without a code is nearest to, and how near: weighted words, names run together included.

BM25F (Robertson, Zaragoza and Taylor 2004: the fields' word counts are weighted, then saturated together), as
a share of what the text could get at most, so that scores of different texts and catalogs compare.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from functools import lru_cache
from heapq import nlargest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

THRESHOLD = 0.45
LEAD = 0.05
"""From which score on, and how far before the next entry (as a share of it), `sure` takes the nearest one.

Measured on 40 alert texts and 108 runbook pages: of the texts 0.88 are taken rightly, 0.03 wrongly (precision
0.97); of log lines 0.003 are taken, of alerts about other software 0.03, of the texts after their own page
was removed 0.45, for a page of the same family (at a threshold of 0.55: 0.75 rightly, 0.25 of the removed).
On 460 terser alerts, half of their 46 files in the catalog at a time: 0.46 rightly, precision 0.94.
"""

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STOP = frozenset(
    _WORD.findall(
        "a an and are as at be been but by can do for from had has have if in into is it its no nor of on or"
        " so than that the their then there these this those to up was were when which will with you your"
    )
)
_NO_PLURAL = ("ss", "us", "is")
_ENDINGS = _WORD.findall("ization isation ation ition ment ing ion ure ed er ly al e y")
_STEM = 4
"""Letters that a word keeps at least when its ending goes; an `s` goes from this length on."""
_LONGEST = 64
"""Characters of a word; longer ones are keys, tokens and encoded data."""
_GRAM = 3

_TITLE, _BODY = 2.5, 1.0
_TITLE_LENGTH, _BODY_LENGTH = 0.5, 0.75
"""How far a word counts less in a field longer than the others': 0 not at all, 1 by its share."""
_SATURATION = 1.2
_FULL = 3.0
"""The weighted count from which on an entry says a word as clearly as can be."""
_SCALE = 1 + _SATURATION / _FULL
_NAME = 0.7
"""How far the name makes up for what title and body lack of a word."""
_NUMBER = 0.5
_BACKGROUND = 100
"""Entries imagined beside the real ones, with other words: else no word of a small catalog is rare."""
_DOUBT = 0.4
"""Words nobody knows, imagined in each text: one common word alone proves nothing."""
_SAID = 0.25
"""The share of the score that the entry's name has."""


class Page(NamedTuple):
    """The words of one entry; those of its name (`code`) and its title weigh more than those of the body."""

    code: str
    title: str = ""
    body: str = ""


class Found(NamedTuple):
    """An entry, and how near the text is to it, 0 to 1."""

    code: str
    score: float


class _Word(NamedTuple):
    """A word of the text, how clearly entries say it, and which have it in the name."""

    term: str
    weight: float
    clear: Mapping[int, float]
    named: list[int]


class Similar:
    """An inverted index of entries by their words. Nothing changes in it after it is made."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = tuple(pages)
        self._names = [_letters(page.code) for page in self._pages]
        self._clear = _clear(self._pages)
        self._grams = _grams(self._names)

    def best(self, text: str, n: int = 3) -> list[Found]:
        """At most n entries that share a word with the text, the nearest first, equal ones in their order.

        score: 0 to 1. Three quarters say how much of the text the entry accounts for, each word weighed by
        its rarity in the catalog and by the field it stands in; a quarter how many letters of the entry's
        name are among the text's words. Words that no entry has count against all; numbers and ids that none
        has do not count. Ten entries or some thousand: a text's score differs by less than 0.1.
        """
        scores = self._scores(text)
        least = min(nlargest(n, scores), default=0)
        found = sorted((-each, at) for at, each in enumerate(scores) if each and each >= least)
        return [Found(self._pages[at].code, -against) for against, at in found[:n]]

    def sure(self, text: str, threshold: float = THRESHOLD, lead: float = LEAD) -> Found | None:
        """The nearest entry, where it reaches the threshold and no other comes near; see LEAD."""
        found = self.best(text, 2)
        if not found or found[0].score < threshold:
            return None
        clear = len(found) == 1 or found[1].score <= (1 - lead) * found[0].score
        return found[0] if clear else None

    def _scores(self, text: str) -> list[float]:
        """Of each entry in their order; 0 where it shares no word with the text."""
        words = list(self._words(text))
        most = sum(word.weight for word in words) + _DOUBT * self._rarity(0)
        scores = [0.0] * len(self._pages)
        said: defaultdict[int, int] = defaultdict(int)
        for word in words:
            share = (1 - _SAID) * word.weight / most
            for at, clear in word.clear.items():
                scores[at] += share * clear
            for at in word.named:
                scores[at] += share * _NAME * (1 - word.clear.get(at, 0))
                said[at] += len(word.term) * self._names[at].count(word.term)
        for at, letters in said.items():
            scores[at] += _SAID * min(1, letters / len(self._names[at]))
        return scores

    def _words(self, text: str) -> Iterator[_Word]:
        for term, times in Counter(_terms_of(text)).items():
            clear = self._clear.get(term, {})
            named = self._named(term)
            known = len(clear) + len(named) - sum(map(clear.__contains__, named))
            if known or term.isalpha():
                yield _Word(term, self._weight(term, times, known), clear, named)

    def _weight(self, term: str, times: int, known: int) -> float:
        repeated = times * (_SATURATION + 1) / (times + _SATURATION)
        return self._rarity(known) * repeated * (1 if term.isalpha() else _NUMBER)

    def _rarity(self, known: int) -> float:
        """Robertson and Sparck Jones' weight of a word that so many entries have."""
        return math.log(1 + (len(self._pages) + _BACKGROUND - known + 0.5) / (known + 0.5))

    def _named(self, term: str) -> list[int]:
        """Entries that have the word in their name, also where the name's words are run together."""
        if len(term) < _GRAM:
            return []
        fewest = min((self._grams.get(gram, []) for gram in _cut(term)), key=len)
        return [at for at in fewest if term in self._names[at]]


def _clear(pages: tuple[Page, ...]) -> dict[str, dict[int, float]]:
    """By word the entries that have it, with how clearly they say it, 0 to 1."""
    entries: list[dict[str, float]] = [{} for _ in pages]
    _count(entries, [page.title for page in pages], _TITLE, _TITLE_LENGTH)
    _count(entries, [page.body for page in pages], _BODY, _BODY_LENGTH)
    _count(entries, [_unsearchable(page.code) for page in pages], _TITLE, 0)
    clear: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for at, counts in enumerate(entries):
        for term, count in counts.items():
            clear[term][at] = 1.0 if count >= _FULL else _SCALE * count / (count + _SATURATION)
    return dict(clear)


def _count(entries: list[dict[str, float]], field: list[str], weight: float, length: float) -> None:
    """Adds a field's words to what is counted of each entry."""
    words = [_terms_of(text) for text in field]
    usual = sum(map(len, words)) / (len(words) or 1) or 1
    for counts, terms in zip(entries, words, strict=True):
        each = weight / (1 - length + length * len(terms) / usual)
        for term in terms:
            counts[term] = counts.get(term, 0) + each


def _unsearchable(name: str) -> str:
    """Words of a name that its letters do not show: too short for a gram, or with digits."""
    return " ".join(word for word in _WORD.findall(name) if len(word) < _GRAM or not word.isalpha())


def _grams(names: list[str]) -> dict[str, list[int]]:
    grams: defaultdict[str, list[int]] = defaultdict(list)
    for at, name in enumerate(names):
        for gram in dict.fromkeys(_cut(name)):
            grams[gram].append(at)
    return dict(grams)


def _cut(name: str) -> Iterator[str]:
    return (name[at : at + _GRAM] for at in range(len(name) - _GRAM + 1))


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", name).casefold()))


def _terms_of(text: str) -> list[str]:
    """The text's words as they are compared: small, without ending, those that say nothing left out."""
    return [term for word in _WORD.findall(unicodedata.normalize("NFKC", text)) for term in _terms(word)]


@lru_cache(maxsize=1 << 15)
def _terms(word: str) -> tuple[str, ...]:
    """Words that stand together in one: HTTPServerError is three. One with digits stays whole."""
    if len(word) > _LONGEST:
        return ()
    if not word.isalpha():
        return (word.casefold(),) if word[0].isalpha() or len(word) >= _GRAM else ()
    parts = (part.casefold() for part in _HUMP.sub(" ", word).split())
    return tuple(_stem(part) for part in parts if len(part) > 1 and part not in _STOP)


def _stem(word: str) -> str:
    if len(word) >= _STEM and word.endswith("s") and not word.endswith(_NO_PLURAL):
        word = word[:-1]
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _STEM), "")
    stem = word.removesuffix(ending)
    doubled = bool(ending) and len(stem) > _STEM and stem[-1] == stem[-2] and stem[-1] not in "sl"
    return stem[:-1] if doubled else stem
