from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from firstcause.views.versioned_cache import MOST, Remembered


def test_many_who_ask_at_once_cost_one_answer() -> None:
    remembered, made = Remembered(), []

    def make() -> int:
        time.sleep(0.05)
        made.append(threading.get_ident())
        return len(made)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: remembered.once("now", "a", make), range(20)))
    assert answers == [1] * 20
    assert remembered.once("now", "b", make) == 2


def test_what_fails_is_not_kept_and_old_answers_go() -> None:
    remembered = Remembered()
    with pytest.raises(ZeroDivisionError):
        remembered.once("now", "a", lambda: 1 / 0)
    assert remembered.once("now", "a", lambda: "well") == "well"
    for number in range(MOST):
        remembered.once(str(number), "a", lambda: None)
    assert remembered.once("now", "a", lambda: "anew") == "anew"
