from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from firstcause.views.versioned_cache import MAX_ENTRIES, VersionedCache


def test_many_who_ask_at_once_cost_one_answer() -> None:
    remembered, made = VersionedCache(), []

    def make() -> int:
        time.sleep(0.05)
        made.append(threading.get_ident())
        return len(made)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: remembered.get_or_compute("now", "a", make), range(20)))
    assert answers == [1] * 20
    assert remembered.get_or_compute("now", "b", make) == 2


def test_what_fails_is_not_kept_and_old_answers_go() -> None:
    remembered = VersionedCache()
    with pytest.raises(ZeroDivisionError):
        remembered.get_or_compute("now", "a", lambda: 1 / 0)
    assert remembered.get_or_compute("now", "a", lambda: "well") == "well"
    for number in range(MAX_ENTRIES):
        remembered.get_or_compute(str(number), "a", lambda: None)
    assert remembered.get_or_compute("now", "a", lambda: "anew") == "anew"


def test_a_question_does_not_wait_for_another() -> None:
    cache, started, release = VersionedCache(), threading.Event(), threading.Event()

    def compute_slowly() -> str:
        started.set()
        assert release.wait(60)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get_or_compute, "incident 1", "a", compute_slowly)
        assert started.wait(60)
        assert cache.get_or_compute("now", "a", lambda: "quick") == "quick"
        assert not slow.done()
        release.set()
        assert slow.result(60) == "slow"
