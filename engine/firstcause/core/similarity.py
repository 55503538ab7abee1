"""Which entry a text without a code is nearest to, and how near: weighted words, names run together included.

BM25F (Robertson, Zaragoza, Taylor 2004: the fields' word counts are weighted, then saturated together), put in
relation to what the text could have got at most, so that scores of different texts and catalogs compare.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from functools import lru_cache
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

THRESHOLD = 0.45
"""The least score that is worth believing without a person's look."""

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STOP = frozenset(
    "a an and are as at be been but by can do for from had has have if in into is it its no nor of on or so than"
    " that the their then there these this those to up was were when which will with you your".split()
)
_ENDINGS = (
    *("ization", "isation", "ations", "ation", "itions", "ition", "ments", "ment", "ness"),
    *("ings", "ing", "ions", "ion", "ures", "ure", "ed", "ers", "er", "ly", "al", "es", "s", "e", "y"),
)
_STEM = 4
"""Letters that a word keeps at least when its ending goes."""
_LONGEST = 64
"""Characters of a word; longer ones are keys, tokens and encoded data."""
_GRAM = 3

_NAME, _TITLE, _BODY = 2.5, 2.5, 1.0
_NUMBER = 0.5
_SATURATION = 1.2
_FULL = 3.0
"""The weighted count from which on an entry says a word as clearly as can be."""
_TITLE_LENGTH, _BODY_LENGTH = 0.5, 0.75
"""How far a word counts less in a field that is longer than the others': 0 not at all, 1 by its share."""
_BACKGROUND = 100
"""Entries imagined beside the real ones, with none of their words: else no word of a small catalog is rare."""
_DOUBT = 0.4
"""Words nobody knows, imagined in each text: one common word alone proves nothing."""
_SAID = 1 / 3
"""The share of the score that the entry's name has."""


class Page(NamedTuple):
    """What the words of one entry are; the name (`code`) and the title weigh more than the body."""

    code: str
    title: str = ""
    body: str = ""


class Found(NamedTuple):
    """An entry, and how near the text is to it, 0 to 1."""

    code: str
    score: float


class Similar:
    """An inverted index of entries by their words. Nothing changes in it after it is made."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = tuple(pages)
        self._names = [_letters(page.code) for page in self._pages]
        self._counts = _counts(self._pages)
        self._grams = _grams(self._names)

    def best(self, text: str, n: int = 3) -> list[Found]:
        """At most n entries that share a word with the text, the nearest first, equal ones in their order.

        score: 0 to 1. Two thirds of it say how much of the text the entry accounts for, each word weighed by
        its rarity in the catalog and by the field it stands in; a third how many letters of the entry's name
        are among the text's words. 1 would be a long text of nothing but the words of its name and title.
        Words that no entry has count against all; numbers and ids that none has do not count.
        """
        score, said, most = self._weighed(Counter(_terms_of(text)))
        found = (
            (-((1 - _SAID) * each / most + _SAID * min(1, said.get(at, 0) / (len(self._names[at]) or 1))), at)
            for at, each in score.items()
        )
        return [Found(self._pages[at].code, -against) for against, at in nsmallest(n, found)]

    def _weighed(self, terms: Mapping[str, int]) -> tuple[dict[int, float], dict[int, int], float]:
        """By entry the weight of the text's words that it has, and letters of its name; the most to be had."""
        score: defaultdict[int, float] = defaultdict(float)
        said: defaultdict[int, int] = defaultdict(int)
        most = _DOUBT * self._rarity(0)
        for term, times in terms.items():
            counts = self._counts.get(term, {})
            named = self._named(term)
            known = len(counts) + sum(at not in counts for at in named)
            if not known and not term.isalpha():
                continue
            weight = self._weight(term, times, known)
            most += weight
            for at, count in counts.items():
                score[at] += weight * _clear(count)
            for at in named:
                count = counts.get(at, 0)
                score[at] += weight * (_clear(count + _NAME) - _clear(count))
                said[at] += len(term)
        return score, said, most

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


def _counts(pages: tuple[Page, ...]) -> dict[str, dict[int, float]]:
    """By word the entries that have it, with the weighted count."""
    counts: defaultdict[str, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    fields = (
        (_TITLE, _TITLE_LENGTH, [list(_terms_of(page.title)) for page in pages]),
        (_BODY, _BODY_LENGTH, [list(_terms_of(page.body)) for page in pages]),
    )
    for weight, length, field in fields:
        usual = sum(map(len, field)) / (len(field) or 1) or 1
        for at, terms in enumerate(field):
            each = weight / (1 - length + length * len(terms) / usual)
            for term in terms:
                counts[term][at] += each
    for at, page in enumerate(pages):
        for term in set(_terms_of(page.code)):
            if len(term) < _GRAM or not term.isalpha():
                counts[term][at] += _NAME
    return {term: dict(entries) for term, entries in counts.items()}


def _grams(names: list[str]) -> dict[str, list[int]]:
    grams: defaultdict[str, list[int]] = defaultdict(list)
    for at, name in enumerate(names):
        for gram in dict.fromkeys(_cut(name)):
            grams[gram].append(at)
    return dict(grams)


def _cut(name: str) -> Iterator[str]:
    return (name[at : at + _GRAM] for at in range(len(name) - _GRAM + 1))


def _clear(count: float) -> float:
    """From the weighted count of a word to how clearly the entry says it, 0 to 1."""
    return min(1, (1 + _SATURATION / _FULL) * count / (count + _SATURATION))


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", name).casefold()))


def _terms_of(text: str) -> Iterator[str]:
    """The text's words as they are compared: small, without ending, those that say nothing left out."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", text)):
        yield from _terms(word)


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
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _STEM), "")
    if not ending or word.endswith("ss"):
        return word
    stem = word.removesuffix(ending)
    doubled = len(stem) > _STEM and stem[-1] == stem[-2] and stem[-1] not in "sl"
    return stem[:-1] if doubled else stem
