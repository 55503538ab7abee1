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

MIN_SCORE = 0.45
MIN_LEAD = 0.05
"""From which score on, and how far before the next entry (as a share of it), `sure` takes the nearest one.

Measured on 40 alert texts and 108 runbook pages: of the texts 0.88 are taken rightly, 0.03 wrongly (precision
0.97); of log lines 0.003 are taken, of alerts about other software 0.03, of the texts after their own page
was removed 0.45, for a page of the same family (at a threshold of 0.55: 0.75 rightly, 0.25 of the removed).
On 460 terser alerts, half of their 46 files in the catalog at a time: 0.46 rightly, precision 0.94.
"""

_WORD_PATTERN = re.compile(r"[^\W_]+")
_CAMEL_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STOP_WORDS = frozenset(
    _WORD_PATTERN.findall(
        "a an and are as at be been but by can do for from had has have if in into is it its no nor of on or"
        " so than that the their then there these this those to up was were when which will with you your"
    )
)
_NON_PLURAL_ENDINGS = ("ss", "us", "is")
_ENDINGS = _WORD_PATTERN.findall("ization isation ation ition ment ing ion ure ed er ly al e y")
_MIN_STEM_LENGTH = 4
"""Letters that a word keeps at least when its ending goes; an `s` goes from this length on."""
_MAX_WORD_LENGTH = 64
"""Characters of a word; longer ones are keys, tokens and encoded data."""
_GRAM_LENGTH = 3

_TITLE_WEIGHT, _BODY_WEIGHT = 2.5, 1.0
_TITLE_LENGTH_NORM, _BODY_LENGTH_NORM = 0.5, 0.75
"""How far a word counts less in a field longer than the others': 0 not at all, 1 by its share."""
_SATURATION = 1.2
_FULL_COUNT = 3.0
"""The weighted count from which on an entry says a word as clearly as can be."""
_SATURATION_SCALE = 1 + _SATURATION / _FULL_COUNT
_NAME_WEIGHT = 0.7
"""How far the name makes up for what title and body lack of a word."""
_NUMBER_WEIGHT = 0.5
_BACKGROUND_ENTRIES = 100
"""Entries imagined beside the real ones, with other words: else no word of a small catalog is rare."""
_UNKNOWN_WORDS = 0.4
"""Words nobody knows, imagined in each text: one common word alone proves nothing."""
_NAME_SHARE = 0.25
"""The share of the score that the entry's name has."""


class IndexedEntry(NamedTuple):
    """The words of one entry; those of its name (`code`) and its title weigh more than those of the body."""

    code: str
    title: str = ""
    body: str = ""


class NearestEntry(NamedTuple):
    """An entry, and how near the text is to it, 0 to 1."""

    code: str
    score: float


class _QueryTerm(NamedTuple):
    """A word of the text, how clearly entries say it, and which have it in the name."""

    term: str
    weight: float
    clarity: Mapping[int, float]
    name_matches: list[int]


class SimilarityIndex:
    """An inverted index of entries by their words. Nothing changes in it after it is made."""

    def __init__(self, entries: Iterable[IndexedEntry]) -> None:
        self._entries = tuple(entries)
        self._names = [_extract_letters(entry.code) for entry in self._entries]
        self._clarity_by_term = _build_clarity(self._entries)
        self._entries_by_gram = _index_grams(self._names)

    def find_nearest(self, text: str, max_results: int = 3) -> list[NearestEntry]:
        """At most n entries that share a word with the text, the nearest first, equal ones in their order.

        score: 0 to 1. Three quarters say how much of the text the entry accounts for, each word weighed by
        its rarity in the catalog and by the field it stands in; a quarter how many letters of the entry's
        name are among the text's words. Words that no entry has count against all; numbers and ids that none
        has do not count. Ten entries or some thousand: a text's score differs by less than 0.1.
        """
        scores = self._score_entries(text)
        min_score = min(nlargest(max_results, scores), default=0)
        nearest = sorted(
            (-score, index) for index, score in enumerate(scores) if score and score >= min_score
        )
        return [NearestEntry(self._entries[index].code, -negated) for negated, index in nearest[:max_results]]

    def find_confident(
        self, text: str, threshold: float = MIN_SCORE, min_lead: float = MIN_LEAD
    ) -> NearestEntry | None:
        """The nearest entry, where it reaches the threshold and no other comes near; see LEAD."""
        nearest = self.find_nearest(text, 2)
        if not nearest or nearest[0].score < threshold:
            return None
        is_clear = len(nearest) == 1 or nearest[1].score <= (1 - min_lead) * nearest[0].score
        return nearest[0] if is_clear else None

    def _score_entries(self, text: str) -> list[float]:
        """Of each entry in their order; 0 where it shares no word with the text."""
        words = list(self._weigh_terms(text))
        max_weight = sum(word.weight for word in words) + _UNKNOWN_WORDS * self._term_rarity(0)
        scores = [0.0] * len(self._entries)
        matched_letters: defaultdict[int, int] = defaultdict(int)
        for word in words:
            share = (1 - _NAME_SHARE) * word.weight / max_weight
            for index, clarity in word.clarity.items():
                scores[index] += share * clarity
            for index in word.name_matches:
                scores[index] += share * _NAME_WEIGHT * (1 - word.clarity.get(index, 0))
                matched_letters[index] += len(word.term) * self._names[index].count(word.term)
        for index, letters in matched_letters.items():
            scores[index] += _NAME_SHARE * min(1, letters / len(self._names[index]))
        return scores

    def _weigh_terms(self, text: str) -> Iterator[_QueryTerm]:
        for term, times in Counter(_extract_terms(text)).items():
            clarity = self._clarity_by_term.get(term, {})
            name_matches = self._find_name_matches(term)
            entry_count = len(clarity) + len(name_matches) - sum(map(clarity.__contains__, name_matches))
            if entry_count or term.isalpha():
                yield _QueryTerm(term, self._weigh_term(term, times, entry_count), clarity, name_matches)

    def _weigh_term(self, term: str, times: int, entry_count: int) -> float:
        repeated = times * (_SATURATION + 1) / (times + _SATURATION)
        return self._term_rarity(entry_count) * repeated * (1 if term.isalpha() else _NUMBER_WEIGHT)

    def _term_rarity(self, entry_count: int) -> float:
        """Robertson and Sparck Jones' weight of a word that so many entries have."""
        return math.log(
            1 + (len(self._entries) + _BACKGROUND_ENTRIES - entry_count + 0.5) / (entry_count + 0.5)
        )

    def _find_name_matches(self, term: str) -> list[int]:
        """Entries that have the word in their name, also where the name's words are run together."""
        if len(term) < _GRAM_LENGTH:
            return []
        candidates = min((self._entries_by_gram.get(gram, []) for gram in _split_grams(term)), key=len)
        return [index for index in candidates if term in self._names[index]]


def _build_clarity(indexed: tuple[IndexedEntry, ...]) -> dict[str, dict[int, float]]:
    """By word the entries that have it, with how clearly they say it, 0 to 1."""
    entries: list[dict[str, float]] = [{} for _ in indexed]
    _add_field_counts(entries, [entry.title for entry in indexed], _TITLE_WEIGHT, _TITLE_LENGTH_NORM)
    _add_field_counts(entries, [entry.body for entry in indexed], _BODY_WEIGHT, _BODY_LENGTH_NORM)
    _add_field_counts(entries, [_unsearchable_words(entry.code) for entry in indexed], _TITLE_WEIGHT, 0)
    clarity: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for index, counts in enumerate(entries):
        for term, count in counts.items():
            clarity[term][index] = (
                1.0 if count >= _FULL_COUNT else _SATURATION_SCALE * count / (count + _SATURATION)
            )
    return dict(clarity)


def _add_field_counts(
    entries: list[dict[str, float]], texts: list[str], weight: float, length_norm: float
) -> None:
    """Adds a field's words to what is counted of each entry."""
    words = [_extract_terms(text) for text in texts]
    mean_length = sum(map(len, words)) / (len(words) or 1) or 1
    for counts, terms in zip(entries, words, strict=True):
        increment = weight / (1 - length_norm + length_norm * len(terms) / mean_length)
        for term in terms:
            counts[term] = counts.get(term, 0) + increment


def _unsearchable_words(name: str) -> str:
    """Words of a name that its letters do not show: too short for a gram, or with digits."""
    return " ".join(
        word for word in _WORD_PATTERN.findall(name) if len(word) < _GRAM_LENGTH or not word.isalpha()
    )


def _index_grams(names: list[str]) -> dict[str, list[int]]:
    grams: defaultdict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        for gram in dict.fromkeys(_split_grams(name)):
            grams[gram].append(index)
    return dict(grams)


def _split_grams(name: str) -> Iterator[str]:
    return (name[start : start + _GRAM_LENGTH] for start in range(len(name) - _GRAM_LENGTH + 1))


def _extract_letters(name: str) -> str:
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", name).casefold()))


def _extract_terms(text: str) -> list[str]:
    """The text's words as they are compared: small, without ending, those that say nothing left out."""
    return [
        term
        for word in _WORD_PATTERN.findall(unicodedata.normalize("NFKC", text))
        for term in _split_word(word)
    ]


@lru_cache(maxsize=1 << 15)
def _split_word(word: str) -> tuple[str, ...]:
    """Words that stand together in one: HTTPServerError is three. One with digits stays whole."""
    if len(word) > _MAX_WORD_LENGTH:
        return ()
    if not word.isalpha():
        return (word.casefold(),) if word[0].isalpha() or len(word) >= _GRAM_LENGTH else ()
    parts = (part.casefold() for part in _CAMEL_BOUNDARY.sub(" ", word).split())
    return tuple(_stem_word(part) for part in parts if len(part) > 1 and part not in _STOP_WORDS)


def _stem_word(word: str) -> str:
    if len(word) >= _MIN_STEM_LENGTH and word.endswith("s") and not word.endswith(_NON_PLURAL_ENDINGS):
        word = word[:-1]
    ending = next(
        (end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _MIN_STEM_LENGTH), ""
    )
    stem = word.removesuffix(ending)
    doubled = bool(ending) and len(stem) > _MIN_STEM_LENGTH and stem[-1] == stem[-2] and stem[-1] not in "sl"
    return stem[:-1] if doubled else stem
