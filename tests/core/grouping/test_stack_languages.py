"""Stacks of many languages: one fault stays one, another is another, the title is what a person would say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.catalog import Catalog
from firstcause.core.grouping.fingerprint import identify
from firstcause.core.grouping.stack_trace import parse_trace
from firstcause.core.model import Event
from support.stack_samples import SAMPLES, Sample

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_CATALOG = Catalog([])


_LOCALIZED = {
    "German": (
        "Unbehandelte Ausnahme: ",
        "bei",
        "in",
        "Zeile 41.",
        "Ende der internen Ausnahmestapelüberwachung",
    ),
    "French": (
        "Exception non gérée : ",
        "à",
        "dans",
        "ligne 41",
        "Fin de la trace de la pile d'exception interne",
    ),
    "Spanish": (
        "Excepción no controlada: ",
        "en",
        "en",
        "línea 41",
        "Fin del seguimiento de la pila de excepción interna",
    ),
    "Italian": (
        "Eccezione non gestita: ",
        "in",
        "in",
        "riga 41",
        "Fine della traccia dello stack dell'eccezione interna",
    ),
    "Polish": ("Nieobsłużony wyjątek: ", "w", "w", "wiersz 41", "Koniec śladu stosu wyjątków wewnętrznych"),
    "Russian": (
        "Необработанное исключение: ",
        "в",
        "в",
        "строка 41",
        "Конец трассировки внутреннего стека исключений",
    ),
    "Chinese": ("未经处理的异常:  ", "在", "位置", "行号 41", "内部异常堆栈跟踪的结尾"),
    "Japanese": ("ハンドルされていない例外: ", "場所", "場所", "行 41", "内部例外スタック トレースの終わり"),
}


def report(message: str | None, **fields: str) -> tuple[str, str]:
    """Fault and title of an error."""
    event = Event.model_validate({"id": "1", "time": NOW, "message": message} | fields)
    identified = identify(event, NO_CATALOG)
    return identified.fault, identified.title


def key(stack: str) -> tuple[str, ...]:
    trace = parse_trace(stack)
    assert trace is not None
    return trace.key


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_type_and_locations(sample: Sample) -> None:
    parsed = key(sample.stack)
    assert parsed[0] == sample.parts[0]
    assert set(sample.parts) <= set(parsed)
    assert not [part for part in parsed for foreign in sample.foreign if foreign in part]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_title_is_what_a_person_would_say(sample: Sample) -> None:
    assert report(sample.stack)[1] == sample.title


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_one_fault_over_deployments_and_values(sample: Sample) -> None:
    later = sample.stack
    for old, new in sample.same:
        assert old in later
        later = later.replace(old, new)
        assert report(later)[0] == report(sample.stack)[0], (old, new)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_another_fault_is_another_alert(sample: Sample) -> None:
    changed = sample.stack.replace(*sample.other)
    assert changed != sample.stack
    assert report(changed)[0] != report(sample.stack)[0]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_carriage_returns_change_nothing(sample: Sample) -> None:
    assert report(sample.stack.replace("\n", "\r\n")) == report(sample.stack)


@pytest.mark.parametrize(
    ("unhandled", "at", "file_word", "line", "end"), _LOCALIZED.values(), ids=_LOCALIZED.keys()
)
def test_dotnet_in_other_languages(unhandled: str, at: str, file_word: str, line: str, end: str) -> None:
    def write(unhandled: str, at: str, file_word: str, line: str, end: str) -> str:
        return (
            f"{unhandled}System.InvalidOperationException: 7 ---> System.IO.IOException: 8\n"
            f"   {at} Acme.Disk.Read() {file_word} C:\\src\\Disk.cs:{line}\n   --- {end} ---\n"
            f"   {at} Acme.Shop.Save(Order o) {file_word} C:\\src\\Shop.cs:{line}\n"
        )

    english = write("Unhandled Exception: ", "at", "in", "line 41", "End of inner exception stack trace")
    stack = write(unhandled, at, file_word, line, end)
    assert key(stack) == key(english)
    assert key(english)[:2] == ("InvalidOperationException", "src/Shop.cs:Acme.Shop.Save")
    assert key(english)[2:] == ("<-", "IOException", "src/Disk.cs:Acme.Disk.Read")
    assert report(stack)[1] == "InvalidOperationException: 7"


def sentry_stack(kind: str, value: str, *frames: tuple[str, str]) -> str:
    """As the Sentry plugin writes it."""
    lines = [f'  File "{file}", line 3, in {name}' for file, name in frames]
    return "\n".join([*lines, f"{kind}: {value}"])


REPORTERS = [
    ("*errors.errorString", ("golog/tracker.go", "(*Logger).WriteEntry")),
    ("*fmt.wrapError", ("shop/middleware.go", "ErrorHandler")),
    ("DomainError", ("src/report.ts", "reportError")),
    ("Error", ("src/shop.ts", "fail")),
    ("ValueError", ("shop/logger.py", "emit")),
]


@pytest.mark.parametrize(("kind", "frame"), REPORTERS)
def test_errors_that_share_the_frame_that_reports_them(kind: str, frame: tuple[str, str]) -> None:
    def fault(value: str) -> str:
        return report(f"{kind}: {value}", stack=sentry_stack(kind, value, frame))[0]

    assert fault("cannot delete order 7") == fault("cannot delete order 8")
    assert fault("cannot delete order 7") != fault("no such tenant")


def test_the_caller_of_a_reporter_tells_errors_apart() -> None:
    stacks = [
        sentry_stack("DomainError", "no", ("src/shop.ts", caller), ("src/report.ts", "reportError"))
        for caller in ("save", "load")
    ]
    assert key(stacks[0]) == ("DomainError", "src/shop.ts:save")
    assert key(stacks[0]) != key(stacks[1])


def test_an_error_with_a_type_and_a_place_is_one_whatever_its_words() -> None:
    one, two = (sentry_stack("OrderError", words, ("shop/orders.py", "save")) for words in ("anna", "bert"))
    assert report(None, stack=one)[0] == report(None, stack=two)[0]


def test_a_stack_without_a_message_gives_the_title() -> None:
    assert report(None, stack=SAMPLES["python with a note"].stack)[1] == "KeyError: 'x'"
    assert report("Unhandled exception", stack=SAMPLES["node"].stack)[1] == "TypeError: cannot save 7"
    assert report("cannot load", stack=SAMPLES["node"].stack)[1] == "cannot load"
    assert report(None, code="MY_CODE", stack=SAMPLES["node"].stack)[1] == "MY_CODE"


@pytest.mark.parametrize(
    "text",
    [
        "in production (eu)\nat night (late)",
        "disk full\nat 3:00 in the morning",
        "a\n#1 priority (now)",
        "v a.b: c\nw",
    ],
)
def test_prose_is_no_stack(text: str) -> None:
    assert parse_trace(text) is None


_LINES = sorted({line for sample in SAMPLES.values() for line in sample.stack.split("\n")})


@given(st.lists(st.sampled_from(_LINES), max_size=40))
def test_any_mixture_of_lines_is_parsed(lines: list[str]) -> None:
    _fault, title = report("\n".join(lines) or "x")
    assert title
    assert not title.startswith(("Traceback", "panic:", "thread '", "{"))


@given(
    st.sampled_from(sorted(SAMPLES.keys() - {"address sanitizer"})),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_a_number_in_the_message_never_changes_the_fault(name: str, one: int, two: int) -> None:
    sample = SAMPLES[name]
    words = sample.title.rpartition(": ")[2].split(" in ")[0]
    assert words in sample.stack or name == "firefox"
    stacks = [sample.stack.replace(words, f"{words} {number}") for number in (one, two)]
    assert report(stacks[0])[0] == report(stacks[1])[0]


@pytest.mark.parametrize("start", ["", *(sample.stack for sample in SAMPLES.values())])
def test_no_stack_takes_long(start: str) -> None:
    # One that is searched again from each of its characters would need minutes.
    pieces = [
        "a",
        "a.",
        "<",
        "((",
        "at ",
        "@",
        "\n",
        "\n#0 a",
        "\n at a",
        "--- ",
        "---> ",
        "{",
        ' File "',
        "\t",
        "1:",
    ]
    for piece in pieces:
        assert report(start + piece * (60_000 // len(piece)))[0]


@pytest.mark.parametrize(
    ("head", "rest", "title"),
    [
        (
            "thread 'main' panicked at src/{}.rs:4:5:",
            "no route\nnote: run with",
            "no route",
        ),
        (
            "PHP Fatal error:  Uncaught Error: no route in /srv/{}.php:4",
            "Stack trace:\n#0 {main}\n  thrown in /srv/x.php on line 4",
            "Error: no route",
        ),
    ],
)
def test_a_stack_whose_first_line_is_the_message_is_read_whole(head: str, rest: str, title: str) -> None:
    pay, ship, again = (
        identify(Event(id="1", time=NOW, message=head.format(name), stack=rest), Catalog([]))
        for name in ("pay", "ship", "pay")
    )
    assert (pay.title, ship.title) == (title, title)
    assert pay.fault == again.fault != ship.fault
