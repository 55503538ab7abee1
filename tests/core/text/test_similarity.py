"""The nearest entry to a text: which is first, what the score says, and when it is sure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.text.similarity import MIN_SCORE, IndexedEntry, SimilarityIndex

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = [
    IndexedEntry(
        "REDIS_CONNECTION_ERROR", "Redis cannot be reached", "The cache refuses connections on port 6379."
    ),
    IndexedEntry("DB_CONNECTION_ERROR", "Database cannot be reached", "The pool has no connection left."),
    IndexedEntry("DB_QUERY_SLOW", "Database queries are slow", "An index is missing, or a table is locked."),
    IndexedEntry("kubejobfailed", "", "A scheduled task did not finish."),
    IndexedEntry("kubejobcompletion", "", "A scheduled task takes too long."),
    IndexedEntry(
        "S3_UPLOAD_FAILURE", "Uploads to the bucket fail", "See the policy of the bucket. HTTP 403."
    ),
    IndexedEntry("CertificateExpired", "TLS certificate has expired", "Clients refuse the handshake."),
]
WORDS = st.lists(
    st.sampled_from(["redis", "database", "connection", "queries", "slow", "job", "failed", "port", "upload"])
)
TEXTS = st.one_of(st.text(max_size=80), WORDS.map(" ".join))
ENTRIES = st.lists(st.builds(IndexedEntry, TEXTS, TEXTS, TEXTS), max_size=8, unique_by=lambda page: page.code)


def similar() -> SimilarityIndex:
    return SimilarityIndex(PAGES)


def first(text: str) -> str:
    return similar().find_nearest(text)[0].code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.code)
def test_an_entry_is_found_by_its_own_words(page: IndexedEntry) -> None:
    for text in (page.code, page.title, page.body):
        assert not text or first(text) == page.code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Job acme/nightly has failed", "kubejobfailed"),
        ("the completion of a job", "kubejobcompletion"),
        ("kube job failed", "kubejobfailed"),
        ("redisconnectionerror", "REDIS_CONNECTION_ERROR"),
        ("RedisConnectionError: gave up", "REDIS_CONNECTION_ERROR"),
        ("certificateexpired", "CertificateExpired"),
        ("failed uploading a file", "S3_UPLOAD_FAILURE"),
        ("querying became slow", "DB_QUERY_SLOW"),
        ("s3: denied", "S3_UPLOAD_FAILURE"),
        ("answer was 403", "S3_UPLOAD_FAILURE"),
        ("\uff32\uff45\uff44\uff49\uff53 \uff49\uff53 down", "REDIS_CONNECTION_ERROR"),
    ],
)
def test_word_forms_and_names_run_together(text: str, code: str) -> None:
    assert first(text) == code


@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "12 7f3a9c 10.0.0.4:27017", "is it up to you?", "?!…", "x y z", "\x00\ud800", "🔥🔥"],
)
def test_what_says_nothing_finds_nothing(text: str) -> None:
    assert similar().find_nearest(text) == []
    assert similar().find_confident(text) is None


@pytest.mark.parametrize(
    "pages", [[], [IndexedEntry("")], [IndexedEntry("", "", "!")], [IndexedEntry("A", "", "")]]
)
def test_empty_catalogs_and_entries(pages: list[IndexedEntry]) -> None:
    assert SimilarityIndex(pages).find_nearest("Redis cannot be reached") == []


def test_no_more_than_asked_for() -> None:
    assert [len(similar().find_nearest("connection error", n)) for n in (0, 1, 2)] == [0, 1, 2]


def test_equal_entries_stand_in_their_order() -> None:
    same = [IndexedEntry(code, "Disk is full") for code in ("ZZ_ONE", "MM_ONE", "AA_ONE", "BB_ONE")]
    found = SimilarityIndex(same).find_nearest("the disk is full", 3)
    assert [each.code for each in found] == ["ZZ_ONE", "MM_ONE", "AA_ONE"]
    assert len({each.score for each in found}) == 1


def test_name_and_title_weigh_more_than_the_body() -> None:
    pages = [
        IndexedEntry(
            "IN_BODY", "Something else", "The gateway is meant here, among much else that is said of it."
        ),
        IndexedEntry(
            "IN_TITLE", "The gateway", "Something else is meant here, among much else that is said of it."
        ),
        IndexedEntry(
            "GATEWAY", "The gateway", "Something else is meant here, among much else that is said of it."
        ),
    ]
    assert [each.code for each in SimilarityIndex(pages).find_nearest("gateway")] == [
        "GATEWAY",
        "IN_TITLE",
        "IN_BODY",
    ]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    pages = [IndexedEntry(f"CODE_{'ABCDEFGH'[at]}", "worker stopped") for at in range(8)] + [
        IndexedEntry("Q", "quorum")
    ]
    assert SimilarityIndex(pages).find_nearest("worker quorum")[0].code == "Q"


@pytest.mark.parametrize("noise", ["7f3a9c2e", "10.20.30.40:5433", "2026-01-05T10:00:00Z", "x", "a1b2-c3d4"])
def test_ids_and_numbers_that_no_entry_has_do_not_count(noise: str) -> None:
    text = "Database queries are slow"
    assert similar().find_nearest(f"{noise} {text} {noise}") == similar().find_nearest(text)


def test_words_that_no_entry_has_count_against_all() -> None:
    bare, longer = (
        similar().find_nearest(text)[0] for text in ("queries slow", "queries slow beyond the orchard")
    )
    assert bare.code == longer.code
    assert longer.score < bare.score


def test_one_common_word_is_not_enough() -> None:
    pages = [
        IndexedEntry(f"{name}_ERROR", f"{name} failed")
        for name in ("MAIL", "DISK", "CLOCK", "QUEUE", "PRINTER")
    ]
    assert SimilarityIndex(pages).find_nearest("Error")[0].score < MIN_SCORE
    assert SimilarityIndex(pages).find_confident("Error") is None


def test_the_score_means_the_same_in_a_large_catalog() -> None:
    text = "Redis: connection to the cache refused, cannot be reached by worker seven"
    others = [
        IndexedEntry(f"OTHER_{_word(at)}", f"{_word(at)} {_word(at * 7)}", _word(at * 13))
        for at in range(3000)
    ]
    small, large = (SimilarityIndex([*PAGES, *more]).find_nearest(text)[0] for more in ([], others))
    assert small.code == large.code == "REDIS_CONNECTION_ERROR"
    assert large.score == pytest.approx(small.score, abs=0.1)


def test_of_names_with_the_same_words_that_with_fewest_others_is_first() -> None:
    pages = [IndexedEntry("kubejobfailedonprovisioning"), IndexedEntry("kubejobfailed")]
    assert [each.code for each in SimilarityIndex(pages).find_nearest("job failed in kube")] == [
        "kubejobfailed",
        "kubejobfailedonprovisioning",
    ]


def test_a_catalog_of_one_entry_is_sure_of_it() -> None:
    one = SimilarityIndex([IndexedEntry("DISK_FULL", "The disk is full")])
    assert one.find_confident("worker reports: disk full") is not None
    assert one.find_confident("worker reports: mail is not delivered, disk fine") is None


def test_sure_needs_the_threshold() -> None:
    text = "Redis cannot be reached"
    found = similar().find_nearest(text)[0]
    assert found.score >= MIN_SCORE
    assert similar().find_confident(text) == found
    assert similar().find_confident(text, threshold=found.score) == found
    assert similar().find_confident(text, threshold=found.score + 1e-9) is None


def test_sure_needs_a_lead() -> None:
    twins = [
        IndexedEntry("HEAP_ONE", "The heap is nearly full"),
        IndexedEntry("HEAP_TWO", "The heap is nearly full"),
    ]
    text = "The heap is nearly full"
    assert SimilarityIndex(twins[:1]).find_confident(text) is not None
    assert SimilarityIndex(twins).find_nearest(text)[0].score >= MIN_SCORE
    assert SimilarityIndex(twins).find_confident(text) is None
    assert (
        SimilarityIndex(twins).find_confident(text, min_lead=0)
        == SimilarityIndex(twins).find_nearest(text)[0]
    )


def test_a_long_text_still_finds_the_entry_that_it_speaks_of() -> None:
    frame = "  at Object.<anonymous> (/srv/app/node_modules/ioqueue/lib/chain.js:{0}:{0})\n"
    text = "Redis cannot be reached\n" + "".join(frame.format(line) for line in range(110))
    assert len(text) > 8000
    assert first(text) == "REDIS_CONNECTION_ERROR"


def test_encoded_data_does_not_count() -> None:
    data = "".join(filter(str.isalpha, base64.b64encode(bytes(range(256)) * 40).decode()))
    text = "Redis cannot be reached"
    assert len(data) > 8000
    assert similar().find_nearest(f"{text} {data}") == similar().find_nearest(text)


@given(ENTRIES, TEXTS)
def test_scores_are_ordered_and_within_bounds(pages: list[IndexedEntry], text: str) -> None:
    found = SimilarityIndex(pages).find_nearest(text, len(pages))
    assert all(0 < each.score <= 1 for each in found)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert len({each.code for each in found}) == len(found)
    assert {each.code for each in found} <= {page.code for page in pages}
    assert SimilarityIndex(pages).find_nearest(text, 2) == found[:2]


@given(st.permutations(PAGES), TEXTS)
def test_the_order_of_the_entries_changes_no_score(pages: list[IndexedEntry], text: str) -> None:
    assert set(SimilarityIndex(pages).find_nearest(text, 99)) == set(similar().find_nearest(text, 99))


@given(st.sampled_from(PAGES), st.sampled_from([str.upper, str.lower, str.swapcase]))
def test_case_does_not_matter_where_words_stand_apart(
    page: IndexedEntry, change: Callable[[str], str]
) -> None:
    text = f"{page.title} and {page.body}".lower()
    assert similar().find_nearest(change(text)) == similar().find_nearest(text)


def _word(number: int) -> str:
    """A word of its own for each number."""
    return "w" + "".join("bcdfghjklm"[int(digit)] for digit in str(number))
