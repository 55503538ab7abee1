from __future__ import annotations

from firstcause.core.text.spelling import suggest_nearest


def test_suggest_nearest_names_the_nearest_name() -> None:
    assert suggest_nearest("tenat", ["service", "tenant"]) == "; did you mean 'tenant'?"


def test_suggest_nearest_ignores_case_and_keeps_the_known_spelling() -> None:
    assert suggest_nearest("disk_ful", ["DISK_FULL"], "{}") == "; did you mean DISK_FULL?"


def test_suggest_nearest_is_empty_without_a_near_name() -> None:
    assert suggest_nearest("x", ["service", "tenant"]) == ""
    assert suggest_nearest("x", []) == ""
