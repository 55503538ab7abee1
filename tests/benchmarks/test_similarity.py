"""How often the right page is found for a text without a code, how often a wrong one, and in what time.

The texts are those of FIRSTCAUSE_TEST_DATA, else of ../shared/data.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.text.similarity import MIN_LEAD, MIN_SCORE, IndexedEntry, NearestEntry, SimilarityIndex
from support.benchmark_figures import Anchor, at_least, at_most, at_most_times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_benchmark.fixture import BenchmarkFixture

    from support.benchmark_figures import Recorder

# Read when the module is: no test sees the developer's settings.
DATA = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
CATALOG = DATA / "catalog"
ENTRIES = 5000
LONG = 8192

# Times what counting the words takes: some twice what was measured, as no machine is like another.
BUILD, FIND, FIND_LONG = 10.0, 3.0, 1.0


def read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        pytest.skip(f"{file} is not there: FIRSTCAUSE_TEST_DATA names the folder of the evaluation data")
    return [json.loads(line) for line in file.read_text().splitlines()]


def page(entry: str, text: str) -> IndexedEntry:
    """The page's first sentence is its title."""
    title, _, body = re.sub(r"(?<=[.!?])\s|\n\n", "\0", text.strip(), count=1).partition("\0")
    return IndexedEntry(entry, title, body)


@pytest.fixture(scope="module")
def pages() -> list[IndexedEntry]:
    return [page(line["entry"], line["text"]) for line in read(CATALOG / "runbook_candidates.jsonl")]


@pytest.fixture(scope="module")
def queries() -> list[tuple[str, str]]:
    return [(line["text"], line["answer"]) for line in read(CATALOG / "public" / "runbook_match.jsonl")]


@pytest.fixture(scope="module")
def log_lines() -> list[str]:
    """One line of each kind of six systems' logs, of which no page speaks."""
    lines = [line for file in sorted((DATA / "loghub2k" / "public").glob("*.jsonl")) for line in read(file)]
    if not lines:
        pytest.skip(f"{DATA / 'loghub2k'} has no logs")
    return list({line["template"]: line["content"] for line in lines}.values())


def share(hits: Iterable[bool]) -> float:
    each = list(hits)
    return sum(each) / len(each)


def test_the_right_page_is_found(
    record: Recorder, pages: list[IndexedEntry], queries: list[tuple[str, str]]
) -> None:
    similar = SimilarityIndex(pages)
    ranked = [([found.code for found in similar.find_nearest(text)], answer) for text, answer in queries]
    first = share(codes[:1] == [answer] for codes, answer in ranked)
    three = share(answer in codes for codes, answer in ranked)
    record(f"right page first, of {len(queries)} texts", first, bar=at_least(0.925))
    record(f"right page among three, of {len(queries)} texts", three, bar=at_least(0.975))
    assert first >= 0.925
    assert three >= 0.975


def test_what_sure_takes_and_leaves(
    record: Recorder, pages: list[IndexedEntry], queries: list[tuple[str, str]], log_lines: list[str]
) -> None:
    similar = SimilarityIndex(pages)
    taken = [(similar.find_confident(text), answer) for text, answer in queries]
    right = share(found is not None and found.code == answer for found, answer in taken)
    wrong = share(found is not None and found.code != answer for found, answer in taken)
    orphans = share(_without(pages, answer).find_confident(text) is not None for text, answer in queries)
    foreign = share(similar.find_confident(line) is not None for line in log_lines)
    surely = f"page taken at score {MIN_SCORE} and lead {MIN_LEAD}"
    record(f"{surely}: recall", right, bar=at_least(0.85))
    record(f"{surely}: precision", right / (right + wrong), bar=at_least(0.95))
    record("page taken though none is right, of texts whose page is removed", orphans, bar=at_most(0.5))
    record("page taken though none is right, of logs", foreign, bar=at_most(0.01))
    assert right >= 0.85
    assert right / (right + wrong) >= 0.95
    assert orphans <= 0.5
    assert foreign <= 0.01


def _without(pages: list[IndexedEntry], code: str) -> SimilarityIndex:
    return SimilarityIndex(page for page in pages if page.code != code)


@pytest.fixture(scope="module")
def many() -> list[IndexedEntry]:
    """Entries of about 70 words; few words are frequent, many are rare, as in any language."""
    rng = random.Random(5)
    vocabulary = sorted({_word(rng) for _ in range(9000)})
    frequency = [1 / (at + 30) for at in range(len(vocabulary))]

    def words(count: int) -> list[str]:
        return rng.choices(vocabulary, frequency, k=count)

    return [
        IndexedEntry(f"{'_'.join(words(3)).upper()}_{at}", " ".join(words(8)), " ".join(words(60)))
        for at in range(ENTRIES)
    ]


def _word(rng: random.Random) -> str:
    return "".join(rng.choices("etaoinsrhldcumfpgwybvkxjqz", range(26, 0, -1), k=rng.randint(4, 10)))


# Time of the processor, as other work on the machine is not ours.
ours = pytest.mark.benchmark(timer=time.process_time)

ANCHOR = "words counted"


def counting(texts: list[str]) -> float:
    """Seconds that it takes to count the words of the texts, which no index can do without: the anchor."""
    took = []
    for _ in range(5):
        begun = time.process_time()
        Counter(word for text in texts for word in re.findall(r"\w+", text))
        took.append(time.process_time() - begun)
    return min(took)


@ours
def test_time_to_build(record: Recorder, benchmark: BenchmarkFixture, many: list[IndexedEntry]) -> None:
    assert benchmark(SimilarityIndex, many)
    took, anchor = _median(benchmark), counting([f"{page.title} {page.body}" for page in many])
    record(f"index of {ENTRIES:,} entries built", took, "s", bar=at_most(0.5))
    what = f"index of {ENTRIES:,} entries, by its words"
    record(what, took, "s", anchor=Anchor(ANCHOR, anchor), bar=at_most_times(BUILD))
    assert took / anchor < BUILD


@ours
def test_time_to_find(record: Recorder, benchmark: BenchmarkFixture, many: list[IndexedEntry]) -> None:
    similar = SimilarityIndex(many)
    texts = [f"{page.title} {page.body[:100]}" for page in many[::100]]

    def all_of_them() -> list[list[NearestEntry]]:
        return [similar.find_nearest(text) for text in texts]

    found = benchmark(all_of_them)
    took, anchor = _median(benchmark), counting([page.body for page in many])
    each = f"page for a text of some 25 words, {ENTRIES:,} entries"
    record(each, took / len(texts) * 1000, "ms", bar=at_most(2))
    what = f"pages for {len(texts)} texts, by the words of all entries"
    record(what, took, "s", anchor=Anchor(ANCHOR, anchor), bar=at_most_times(FIND))
    assert [best[0].code for best in found] == [page.code for page in many[::100]]
    assert took / anchor < FIND


@ours
def test_time_for_a_long_text(
    record: Recorder, benchmark: BenchmarkFixture, many: list[IndexedEntry]
) -> None:
    similar = SimilarityIndex(many)
    text = " ".join(page.body for page in many[:40])[:LONG]
    assert len(text) == LONG
    assert benchmark(similar.find_nearest, text)
    took, anchor = _median(benchmark), counting([page.body for page in many])
    what = f"page for a text of {LONG:,} characters"
    record(what, took * 1000, "ms", anchor=Anchor(ANCHOR, anchor * 1000), bar=at_most_times(FIND_LONG))
    assert took / anchor < FIND_LONG


def _median(benchmark: BenchmarkFixture) -> float:
    if benchmark.disabled:
        pytest.skip("--benchmark-disable: nothing is timed")
    return float(benchmark.stats.stats.median)  # type: ignore[union-attr]
