"""Plugins that hang, flood, print, exit or return nonsense: each is named, and the rest goes on."""

from __future__ import annotations

import itertools
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, field_validator

from firstcause import (
    DeliveryError,
    DeliveryReport,
    DeliveryState,
    Enrichment,
    Event,
    IntakeFormat,
    IntakeOutcome,
    IntakeResponse,
    Listener,
    Notifier,
    Probe,
    Reading,
    Remedy,
    Status,
    SuppliedFact,
    hookimpl,
)
from firstcause.core.model import Event as StoredEvent
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import FactContext, IntakeResult
from firstcause.plugins.manager import PluginManager
from firstcause.plugins.result_limits import MAX_FACTS, MAX_TEXT_LENGTH
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from firstcause import Notification

TIMEOUT_S = 0.5
MEGABYTES = "x" * (20 << 20)
AT_ONCE = {"thresholds": {"self_report_after": 0, "self_plugin_rest": 3600}}


def up() -> Reading:
    return Reading(status=Status.UP)


def build_plugin(name: str, **hooks: Callable[..., Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    for hook, function in hooks.items():
        function.__name__ = f"firstcause_{hook}"
        setattr(module, f"firstcause_{hook}", hookimpl(function))
    return module


def nest(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"inner": value}
    return value


def leave() -> Any:
    sys.exit(3)


def interrupt() -> Any:
    raise KeyboardInterrupt


def flood_facts(count: int) -> list[SuppliedFact]:
    return [SuppliedFact("flood", {"number": number}) for number in range(count)]


def build_bad_plugins(  # noqa: C901 - one function for each kind
    release: threading.Event,
) -> list[types.ModuleType]:
    """Build one plugin for each hook and kind of misbehaviour that is told apart."""

    def hang(*_arguments: object) -> Any:
        release.wait(60)

    def flood_threads(event: Event) -> None:
        for _ in range(300):
            threading.Thread(target=release.wait, args=(60,), daemon=True).start()

    def send_long(_notification: Notification) -> str:
        raise DeliveryError(MEGABYTES)

    def parse_for_ever(_body: bytes, _headers: object) -> Any:
        return (event for event in itertools.repeat(StoredEvent.model_validate(EVENT)))

    def parse(_body: bytes, _headers: object) -> list[Event]:
        return [StoredEvent.model_validate(EVENT)]

    def answer_nonsense(_outcome: IntakeOutcome, _headers: object) -> Any:
        return IntakeResponse(99, {"a": object()}, {"bad\nname": "b"})

    def format_of(path: str, **fields: Any) -> Callable[[], list[IntakeFormat]]:
        return lambda: [IntakeFormat(path, **{"parse": parse, **fields})]

    def reading_of(**fields: Any) -> Callable[[], list[Probe]]:
        def check() -> Reading:
            return Reading(status=Status.UP, **fields)

        return lambda: [Probe(f"long{len(fields)}", "c", check, "C_DOWN")]

    hooks: dict[str, dict[str, Callable[..., Any]]] = {
        "enrich_floods": {"enrich": lambda event: Enrichment(details={"long": MEGABYTES})},
        "enrich_nests": {"enrich": lambda event: Enrichment(details=nest(20_000))},
        "enrich_exits": {"enrich": lambda event: leave()},
        "enrich_interrupts": {"enrich": lambda event: interrupt()},
        "enrich_gives_objects": {"enrich": lambda event: Enrichment(details={"it": object()})},
        "enrich_leaves_threads": {"enrich": flood_threads},
        "facts_flood": {"facts": lambda context: flood_facts(20_000)},
        "facts_are_long": {"facts": lambda context: [SuppliedFact("long", {"text": MEGABYTES})]},
        "facts_without_end": {"facts": lambda context: itertools.repeat(SuppliedFact("same", {}))},
        "facts_hang": {"facts": lambda context: hang()},
        "answer_hangs": {"intake": format_of("answers-never", answer=hang)},
        "answer_nonsense": {"intake": format_of("answers-badly", answer=answer_nonsense)},
        "parse_exits": {"intake": format_of("exits", parse=lambda _body, _headers: leave())},
        "parse_without_end": {"intake": format_of("endless", parse=parse_for_ever)},
        "probe_is_long": {"probes": reading_of(detail=MEGABYTES, data={str(n): n for n in range(20_000)})},
        "probes_flood": {"probes": lambda: [Probe(f"p{n}", "c", up, "X") for n in range(600)]},
        "probes_hang": {"probes": hang},
        "listeners_exit": {"listeners": leave},
        "listener_exits": {"listeners": lambda: [Listener("leaves", lambda _submit, _stop: leave())]},
        "rules_nonsense": {"rules": lambda: ["no path"]},
        "remedies_interrupt": {"remedies": interrupt},
        "notifiers_nonsense": {"notifiers": lambda: {"a": 1}},
        "commands_hang": {"commands": hang},
    }
    return [build_plugin(name, **functions) for name, functions in hooks.items()]


EVENT = {"id": "given", "time": "2026-11-01T03:00:00Z", "code": "GIVEN"}
NAMED_ELSEWHERE = {"commands_hang", "listener_exits", "parse_without_end"}
"""Commands are asked for by the command line only, a listener that ends is a condition of its own, and a
request of too many events is refused."""


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_all_kinds_of_bad_plugins_at_once_are_named_and_the_rest_goes_on(
    tmp_path: Path, release: threading.Event
) -> None:
    bad = build_bad_plugins(release)
    notify = {"group_wait": 0, "routes": [{"notifiers": ["phone"]}]}
    served = serve_stage(tmp_path, *bad, notify=notify, rules=AT_ONCE, plugin_timeout=TIMEOUT_S)
    with served as (client, stage):
        assert client.get("/api/v1/remedies").status_code == 200
        for path in ("answers-never", "answers-badly", "exits", "endless"):
            client.post(f"/api/v1/webhooks/{path}", content=b"{}")
            assert client.post("/api/v1/events", json={"code": "HONEST"}).status_code == 202
        assert client.post("/api/v1/webhooks/answers-badly", content=b"{}").status_code == 202
        assert client.post("/api/v1/webhooks/endless", content=b"{}").status_code in {413, 429}
        assert client.get("/healthz").status_code == 200
        wait_until(stage.incidents, "the incident")
        wait_until(lambda: stage.phones[0].received, "the message")
        expected = {module.__name__ for module in bad} - NAMED_ELSEWHERE

        def list_missing() -> set[str]:
            conditions = client.get("/readyz").json()["conditions"]
            named = {one["about"] for one in conditions if one["code"] == "FIRSTCAUSE_PLUGIN_FAILING"}
            assert "stage" not in named
            return expected - named

        wait_until(lambda: not list_missing(), f"all of {sorted(expected)} to be named")
        assert MEGABYTES[:70_000] not in stage.everything_stored()


def test_facts_beyond_the_limit_are_left_out() -> None:
    module = build_plugin("flood", facts=lambda context: flood_facts(10 * MAX_FACTS))
    host = build_host(flood=module)
    assert len(host.facts(FactContext(frozenset(), frozenset()))) == MAX_FACTS
    assert "more than 2,000 SuppliedFacts" in list_problems(host, "flood")[0]


def build_host(timeout: float = 5.0, **plugins: types.ModuleType) -> PluginManager:
    host = PluginManager([], timeout)
    for name, module in plugins.items():
        host.register(module, name)
    return host


def list_problems(host: PluginManager, name: str) -> tuple[str, ...]:
    return next(state.problems for state in host.states() if state.name == name)


def test_what_notifiers_and_remedies_return_is_limited() -> None:
    def send(_notification: object) -> str:
        return MEGABYTES

    def find_sent(_notification: object) -> str:
        raise DeliveryError(MEGABYTES, permanent=True, receipts={str(n): "x" for n in range(5_000)})

    notifier = Notifier(
        "long",
        send,
        find_sent=find_sent,
        check_delivery=lambda _reference: DeliveryReport(DeliveryState.FAILED, MEGABYTES),
    )
    module = build_plugin(
        "long",
        notifiers=lambda: [notifier],
        remedies=lambda: [Remedy("fix", "c", lambda: MEGABYTES, interrupt)],
    )
    host = build_host(long=module)
    (guarded,) = host.notifiers()
    notification: Any = None
    assert guarded.send(notification) is None
    assert guarded.find_sent is not None
    with pytest.raises(DeliveryError) as raised:
        guarded.find_sent(notification)
    assert raised.value.permanent
    assert len(str(raised.value)) < MAX_TEXT_LENGTH + 100
    assert len(raised.value.receipts) == 1_000
    assert guarded.check_delivery is not None
    assert len(guarded.check_delivery("reference").error or "") < MAX_TEXT_LENGTH + 100
    (remedy,) = host.remedies()
    assert len(remedy.plan()) < MAX_TEXT_LENGTH + 100
    assert "reference of over 1,000 characters" in list_problems(host, "long")[0]


def test_a_token_that_hangs_is_refused_as_busy_and_is_not_asked_again(release: threading.Event) -> None:
    asked: list[bytes] = []

    def token(body: bytes, _headers: object) -> str:
        asked.append(body)
        release.wait(60)
        return "late"

    module = build_plugin("slow", intake=lambda: [IntakeFormat("slow", lambda _b, _h: [], token=token)])
    (form,) = build_host(0.1, slow=module).formats()
    assert form.token is not None
    for _ in range(3):
        with pytest.raises(IntakeError, match="still processing") as refused:
            form.token(b"", {})
        assert refused.value.status == 429
    assert len(asked) == 1


def test_kinds_of_items_that_a_format_invents_are_limited() -> None:
    result = IntakeResult(ignored={f"{n}{MEGABYTES[:1000]}": 1 for n in range(10_000)})
    module = build_plugin("kinds", intake=lambda: [IntakeFormat("kinds", lambda _b, _h: result)])
    (form,) = build_host(kinds=module).formats()
    parsed = form.parse(b"", {})
    assert isinstance(parsed, IntakeResult)
    assert len(parsed.ignored) == 100
    assert max(map(len, parsed.ignored)) == 100


def test_what_a_hook_prints_goes_to_the_log_once_a_minute_with_a_count(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def enrich(event: Event) -> None:
        print("noise")  # noqa: T201

    host = build_host(loud=build_plugin("loud", enrich=enrich))
    event = StoredEvent.model_validate(EVENT)
    with caplog.at_level("INFO", "firstcause.host"):
        host.enrich([event] * 500, [True] * 500)
    assert capsys.readouterr().out == ""
    assert len([line for line in caplog.messages if "printed: noise" in line]) == 1


def test_settings_that_hang_or_exit_while_they_are_read_are_a_problem_of_the_plugin() -> None:
    class Config(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def check(cls, _name: str) -> str:
            raise SystemExit(2)

    module = build_plugin("exits", probes=lambda config: [Probe("p", "c", up, "X")])
    module.Config = Config  # type: ignore[attr-defined]
    host = PluginManager([])
    host.register(module, "exits", {"name": "x"})
    assert host.probes() == []
    assert "its settings model raised" in list_problems(host, "exits")[0]
