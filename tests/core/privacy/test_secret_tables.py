"""How much of the tables is masked, and how much ordinary text is changed, in every place of an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from core.privacy import held_out_texts, ordinary_texts, unseen_texts, vendor_texts
from core.privacy.secret_spellings import NAMES, SPELLINGS, fill
from firstcause.core.model import Event, Source
from firstcause.core.privacy.masking import Mask
from firstcause.core.privacy.pattern_types import MASKED

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

MASK = Mask()
LEAST_MASKED, MOST_CHANGED = 0.97, 0.01
LEAST_MASKED_UNSEEN, MOST_CHANGED_UNSEEN = 0.9, 0.02
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "message": lambda text: {"message": text},
    "line of a log": lambda text: {"message": f"2026-01-01 ERROR app.db: {text} (attempt 3)"},
    "detail": lambda text: {"details": {"note": text}},
    "nested detail": lambda text: {"details": {"a": [{"b": text}]}},
    "stack": lambda text: {"stack": f'Traceback\n  File "a.py", line 3\nValueError: {text}\n'},
    "tag": lambda text: {"tags": {"note": text}},
    "label": lambda text: {"labels": {"note": text}},
    "query": lambda text: {"source": Source(query=text)},
    "grouping": lambda text: {"grouping": (text,)},
    "JSON in a text": lambda text: {"message": json.dumps({"m": text})},
    "JSON in JSON in a text": lambda text: {"message": json.dumps({"m": json.dumps({"m": text})})},
    "dict in a text": lambda text: {"message": repr({"m": text})},
    "list in a text": lambda text: {"message": repr(["x", text])},
}
places = pytest.mark.parametrize("place", PLACES)


def build_event(fields: dict[str, Any]) -> Event:
    return Event.model_validate({"id": "1", "time": datetime(2026, 1, 1, tzinfo=UTC), "code": "A", **fields})


def find_leaks(spellings: list[tuple[str, tuple[str, ...]]], place: str) -> list[str]:
    leaks = []
    for text, values in spellings:
        masked = MASK.mask_event(build_event(PLACES[place](text))).model_dump(mode="json")
        shown = json.dumps(masked, ensure_ascii=False)
        if any(value in shown for value in values):
            leaks.append(text)
    return leaks


def find_changed(texts: tuple[str, ...], place: str) -> list[str]:
    events = {text: build_event(PLACES[place](text)) for text in texts}
    return [text for text, event in events.items() if MASK.mask_event(event) != event]


def test_tables_are_large_and_have_no_row_twice() -> None:
    assert len({text for text, _ in SPELLINGS}) == len(SPELLINGS) >= 400
    assert len(set(ordinary_texts.TEXTS)) == len(ordinary_texts.TEXTS) >= 500
    assert all(values for _, values in SPELLINGS)


@places
def test_spelled_secrets_are_masked(place: str) -> None:
    leaks = find_leaks(SPELLINGS, place)
    assert 1 - len(leaks) / len(SPELLINGS) >= LEAST_MASKED, leaks


@places
def test_ordinary_texts_are_left_as_they_are(place: str) -> None:
    changed = find_changed(ordinary_texts.TEXTS, place)
    assert len(changed) / len(ordinary_texts.TEXTS) <= MOST_CHANGED, changed


@places
def test_held_out_spellings_are_masked(place: str) -> None:
    spellings = [fill(spelling) for spelling in held_out_texts.SPELLINGS]
    leaks = find_leaks(spellings, place)
    assert 1 - len(leaks) / len(spellings) >= LEAST_MASKED_UNSEEN, leaks


@places
def test_held_out_ordinary_texts_are_left_as_they_are(place: str) -> None:
    changed = find_changed(held_out_texts.TEXTS, place)
    assert len(changed) / len(held_out_texts.TEXTS) <= MOST_CHANGED_UNSEEN, changed


@pytest.mark.parametrize(("texts", "least"), [(vendor_texts, 0.97), (unseen_texts, 0.95)])
@places
def test_spellings_of_vendors_are_masked(place: str, texts: ModuleType, least: float) -> None:
    spellings = [fill(spelling) for spelling in texts.SPELLINGS]
    leaks = find_leaks(spellings, place)
    assert 1 - len(leaks) / len(spellings) >= least, leaks


@pytest.mark.parametrize("texts", [vendor_texts, unseen_texts])
@places
def test_ordinary_texts_of_vendors_are_left_as_they_are(place: str, texts: ModuleType) -> None:
    changed = find_changed(texts.TEXTS, place)
    assert len(changed) / len(texts.TEXTS) <= MOST_CHANGED, changed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["hunter2", 1234, ["a", "b"], {"deep": "hunter2"}])
def test_value_under_a_secrets_name_is_masked(name: str, value: object) -> None:
    assert MASK.mask_data({"request": {name: value}}) == {"request": {name: MASKED}}


@pytest.mark.parametrize("data", ordinary_texts.DATA, ids=str)
def test_ordinary_data_is_left_as_it_is(data: dict[str, Any]) -> None:
    assert MASK.mask_data(data) == data


@pytest.mark.parametrize(
    "arguments",
    [
        ["curl", "-u", "ann:hunter2", "https://x"],
        ["/usr/bin/curl", "-uann:hunter2"],
        ["mysqldump", "-phunter2", "shop"],
        ["sshpass", "-p", "hunter2", "ssh", "x"],
        ["tool", "--db-password", "hunter2"],
        ["tool", "--token=hunter2x9"],
    ],
    ids=str,
)
def test_secret_in_a_list_of_arguments_is_masked(arguments: list[str]) -> None:
    masked = MASK.mask_data({"argv": arguments})
    assert "hunter2" not in json.dumps(masked)
    assert len(masked["argv"]) == len(arguments)
    assert masked["argv"][0] == arguments[0]
